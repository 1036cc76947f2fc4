//! TLS to EventStoreDB, and the provider that the client installs for the whole process.

use std::process::Stdio;
use std::sync::Arc;

use commands::event_log::{AddressError, EventStoreAddress, EventStoreError, EventStoreLog};
use domain::ports::ReadError;
use rcgen::{CertificateParams, KeyPair};
use tests::eventstore_double::{Authority, EventStoreDouble};
use tests::process::{child, told};
use tests::stores::{Backend, Store};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;

use super::super::conformance::event_log::{all, new_events};
use super::{Ticking, done, on, on_either_replica, on_replica, opened};

on_either_replica! {
    the_log_works_over_tls_with_an_authority_that_the_address_names,
}

async fn the_log_works_over_tls_with_an_authority_that_the_address_names(backend: Backend) {
    let store = on(EventStoreDouble::encrypted().await, backend).await;
    assert!(store.url.contains("tls=true"));
    let log = opened(&store).await;
    done(&log, new_events(&[(1, 0, 2)])).await;
    assert_eq!(all(&log).await.len(), 2);
}

async fn refused(url: &str) -> EventStoreError {
    let address = EventStoreAddress::new(url, "log").expect("an address");
    let replica = Store::fresh(Backend::Sqlite).await;
    let place = replica.place();
    match EventStoreLog::connect(&address, &place.as_place(), Ticking::clock()).await {
        Ok(_) => panic!("it must not open"),
        Err(error) => error,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_a_certificate_of_somebody_else_is_not_trusted() {
    let double = EventStoreDouble::encrypted().await;
    let other = Authority::new();
    let address = double.url().split('?').next().unwrap().to_owned();
    let url = format!("{address}?tlsCaFile={}&discoveryInterval=20", other.file().display());
    assert!(matches!(refused(&url).await, EventStoreError::Read(ReadError::Unavailable(_))));
    let plain = format!("{address}?tls=false&discoveryInterval=20");
    assert!(matches!(refused(&plain).await, EventStoreError::Read(ReadError::Unavailable(_))));
}

#[test]
fn where_somebody_else_has_installed_a_provider_the_log_says_so_and_does_not_panic() {
    let name = "eventstore::tls::a_child_process_installs_a_provider_first";
    let output =
        child(name, "install").stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("a process");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("it has to connect first"));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
}

#[test]
fn where_the_certificates_of_the_machine_cannot_be_read_the_log_says_so_and_does_not_panic() {
    let name = "eventstore::tls::a_child_process_trusts_nobody";
    let mut child = child(name, "trust");
    let output = child.env("SSL_CERT_FILE", "/nowhere.pem").env_remove("SSL_CERT_DIR");
    let output = output.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("a process");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("cannot be used"));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
}

/// The body of the child process, whose environment names no certificates.
#[tokio::test]
async fn a_child_process_trusts_nobody() {
    if told().as_deref() == Some("trust") {
        println!("{}", refused(&EventStoreDouble::start().await.url()).await);
    }
}

#[test]
fn a_certificate_with_the_key_of_another_one_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [own, other] = [(); 2].map(|()| KeyPair::generate().expect("a key"));
    let certificate = CertificateParams::new(Vec::new()).expect("no names").self_signed(&own).unwrap();
    let file = |name: &str, text: String| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("a file");
        file.display().to_string()
    };
    let certificate = file("certificate.pem", certificate.pem());
    let address = |key: &str| {
        let url = format!("esdb://localhost?userCertFile={certificate}&userKeyFile={key}");
        EventStoreAddress::new(&url, "log")
    };
    assert!(address(&file("own.pem", own.serialize_pem())).is_ok());
    let refused = address(&file("other.pem", other.serialize_pem()));
    assert!(matches!(refused, Err(AddressError::Parameter { name: "userKeyFile", .. })), "{refused:?}");
}

/// The body of the child process: a process has one provider, so this one cannot be among the others.
#[tokio::test]
async fn a_child_process_installs_a_provider_first() {
    if told().as_deref() != Some("install") {
        return;
    }
    default_provider().install_default().expect("nobody else has");
    let double = Arc::new(EventStoreDouble::start().await);
    println!("{}", refused(&double.url()).await);
}
