//! The client's way with TLS, made safe. It installs a rustls provider for the whole process when it
//! connects for the first time, and panics when there is one already; it panics over files that it
//! cannot read, too, in a task of its own, where nobody hears it.
//!
//! Guarantees: the client comes first and is alone in installing, or the answer is an error that says
//! so; files that an address names, and the machine's certificates, are known to be good before the client
//! reads them.

use std::sync::atomic::{AtomicBool, Ordering};

use eventstore::ClientSettings;
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tokio::sync::OnceCell;
use tokio::time::{Duration, sleep, timeout};

use super::address::AddressError;
use super::client::OwnClient;

/// How long the client may take to install its provider.
const INSTALL: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Makes a client. The first one of the process is waited for until its provider is installed.
///
/// # Errors
/// When somebody else has installed a provider before, or the machine's certificates cannot be read.
pub(super) async fn client(settings: &ClientSettings) -> Result<OwnClient, String> {
    static FIRST: OnceCell<()> = OnceCell::const_new();
    FIRST.get_or_try_init(|| install(settings)).await?;
    OwnClient::start(settings)
}

async fn install(settings: &ClientSettings) -> Result<(), String> {
    // Whoever waited here before may have gone away meanwhile; the client went on all the same.
    static BEGUN: AtomicBool = AtomicBool::new(false);
    if CryptoProvider::get_default().is_some() && !BEGUN.load(Ordering::SeqCst) {
        return Err("another part of this process has installed a provider for TLS already, and the \
                    EventStoreDB client insists on its own: it has to connect first"
            .to_owned());
    }
    check_platform(settings)?;
    let installed = async {
        while CryptoProvider::get_default().is_none() {
            sleep(LOOK_AGAIN).await;
        }
    };
    BEGUN.store(true, Ordering::SeqCst);
    // It begins with the provider, before it is asked for anything.
    let _first = OwnClient::start(settings)?;
    timeout(INSTALL, installed).await.map_err(|_| "the EventStoreDB client does not start".to_owned())
}

/// Reads the certificates that the machine trusts, as the client will where an address names none.
fn check_platform(settings: &ClientSettings) -> Result<(), String> {
    if settings.tls_ca_file().is_some() {
        return Ok(());
    }
    let platform = rustls_native_certs::load_native_certs();
    let wrong = |error: &dyn std::fmt::Display| {
        format!("the certificates that this machine trusts cannot be used: {error}; tlsCaFile names others")
    };
    if let Some(error) = platform.errors.first() {
        return Err(wrong(error));
    }
    let mut roots = RootCertStore::empty();
    platform
        .certs
        .into_iter()
        .try_for_each(|certificate| roots.add(certificate))
        .map_err(|error| wrong(&error))
}

/// Reads the files that an address names, as the client will.
///
/// # Errors
/// Says which parameter names a bad file.
pub(super) fn check_files(settings: &ClientSettings) -> Result<(), AddressError> {
    let wrong = |name: &'static str, error: &dyn std::fmt::Display| AddressError::Parameter {
        name,
        reason: error.to_string(),
    };
    let certificates = |name: &'static str, file: &String| {
        let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let read = read.map_err(|error| wrong(name, &error))?;
        if read.is_empty() { Err(wrong(name, &"the file holds no certificate")) } else { Ok(read) }
    };
    if let Some(file) = settings.tls_ca_file() {
        let mut roots = RootCertStore::empty();
        for certificate in certificates("tlsCaFile", file)? {
            roots.add(certificate).map_err(|error| wrong("tlsCaFile", &error))?;
        }
    }
    if let Some((certificate, key)) = settings.user_certificate() {
        let chain = certificates("userCertFile", certificate)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong("userKeyFile", &error))?;
        CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
            .map_err(|error| wrong("userKeyFile", &error))?;
    }
    Ok(())
}
