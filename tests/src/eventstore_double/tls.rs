//! A certificate authority of the double's own, so that TLS is tried with nothing from the machine.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// An authority, and the certificate that it gave to the double.
pub struct Authority {
    folder: TempDir,
    server: Arc<ServerConfig>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A fresh authority, with a certificate for `localhost`.
    ///
    /// # Panics
    /// When there is no temporary folder.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority_key = KeyPair::generate().expect("a key");
        let mut authority = CertificateParams::new(Vec::new()).expect("no names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = authority.self_signed(&authority_key).expect("a certificate");
        let key = KeyPair::generate().expect("a key");
        let names = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let certificate = names.signed_by(&key, &authority, &authority_key).expect("a certificate");
        std::fs::write(folder.path().join("authority.pem"), authority.pem()).expect("a file");
        // Its own provider: the one of the process belongs to the client.
        let mut server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocols")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            )
            .expect("a certificate with its key");
        server.alpn_protocols = vec![b"h2".to_vec()];
        Self { folder, server: Arc::new(server) }
    }

    /// The authority's own certificate.
    #[must_use]
    pub fn file(&self) -> std::path::PathBuf {
        Path::join(self.folder.path(), "authority.pem")
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.server.clone())
    }
}
