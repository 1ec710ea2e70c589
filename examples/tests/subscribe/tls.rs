//! Servers with TLS.

use crate::{
    file::File,
    http_script::{message, poll},
    process::run,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, Stream,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::Arc,
    thread,
};

/// Starts a server that gives each connection the same answer. Returns its URL, and the certificate of
/// its authority in PEM.
fn serve(answer: String) -> (String, String) {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority, &authority_key).unwrap();
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = Stream::new(&mut connection, &mut stream);
            // A client that does not trust the server ends the connection here.
            if stream.read(&mut [0; 4096]).is_ok() {
                stream.write_all(answer.as_bytes()).unwrap();
                stream.conn.send_close_notify();
                stream.flush().unwrap();
            }
        }
    });
    (url, authority.pem())
}

#[test]
fn only_the_authorities_that_the_user_names_are_trusted() {
    let (url, authority) = serve(poll(&message(1), "a-1"));
    let file = File::new("sansocket-subscribe-authority.pem", &authority);
    let path = file.path();
    let arguments = ["/topic/a", "-t", "poll", "-n", "1", "-s", &url];
    run(&[&arguments[..], &["--authority", path]].concat()).assert(0, &["m1"], &[]);
    for transport in ["stomp", "sse", "poll"] {
        let done = run(&["/topic/a", "-t", transport, "-s", &url, "--retry"]);
        done.assert(1, &[], &["certificate", "--authority"]);
    }
    // Over WebSocket, the answer is wrong, but the certificate is not.
    let done = run(&["/topic/a", "-t", "stomp", "-s", &url, "--authority", path]);
    done.assert(1, &[], &["status 200 OK", "is it a server of STOMP over WebSocket?"]);
    let empty = File::new("sansocket-subscribe-empty.pem", "");
    let path = empty.path();
    let done = run(&["/topic/a", "--authority", path]);
    done.assert(2, &[], &["there is no certificate in PEM"]);
}
