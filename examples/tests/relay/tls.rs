//! TLS on either side.

use crate::peers::{acceptor, config, echo, serve};
use crate::process::Relay;
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};
use sansocket::{
    CloseCode,
    blocking::Connector,
    tls::{ClientTls, ServerTls},
};
use std::{fs, path::PathBuf};

struct Files {
    folder: PathBuf,
    authority: Certificate,
}

impl Files {
    /// Writes an authority, and a certificate of it for the loopback address, into files.
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap();
        let own_key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&own_key, &authority, &key).unwrap();
        let files = Self { folder, authority };
        fs::write(files.path("authority.pem"), files.authority.pem()).unwrap();
        fs::write(files.path("site.pem"), certificate.pem()).unwrap();
        fs::write(files.path("site.key"), own_key.serialize_pem()).unwrap();
        files
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn both_sides_can_be_secure() {
    let files = Files::new("sansocket-relay");
    let read = |name| fs::read(files.path(name)).unwrap();
    let server_tls = ServerTls::new(read("site.pem"), read("site.key")).unwrap();
    for (secure_client, secure_server) in [(true, false), (false, true), (true, true)] {
        let mut acceptor = acceptor();
        if secure_server {
            acceptor = acceptor.tls(server_tls.clone());
        }
        let mut url = serve(move |stream| echo(&mut acceptor.accept_tcp(stream).unwrap()));
        let (mut options, paths) =
            (Vec::new(), ["authority.pem", "site.pem", "site.key"].map(|name| files.path(name)));
        if secure_server {
            url = url.replace("ws://", "wss://");
            options.extend(["--authority", &paths[0]]);
        }
        if secure_client {
            options.extend(["--certificate", &*paths[1], "--key", &paths[2]]);
        }
        let relay = Relay::start(&url, &options);
        assert_eq!(relay.url.starts_with("wss://"), secure_client);
        let tls = ClientTls::with_roots(read("authority.pem")).unwrap();
        let connector = Connector::new().config(config()).tls(tls);
        let (mut client, _) = connector.connect(&relay.url).unwrap();
        for len in [5, 100_000, 3 << 20] {
            client.send("x".repeat(len)).unwrap();
            assert_eq!(client.next().unwrap().unwrap().as_text().unwrap().len(), len);
        }
        client.close(CloseCode::NORMAL, "").unwrap();
        assert!(client.wait_closed().clean);
    }
}
