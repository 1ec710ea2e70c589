//! Which certificates are accepted, and how the others are refused.

use crate::authority::{Authority, TRUSTED, Validity, client_tls, server_tls};
use sansocket::{
    Error,
    blocking::{Acceptor, Connector, ServerWebSocket},
    tls::{ClientTls, ServerTls, TlsFault},
};
use std::{
    error::Error as _,
    net::{IpAddr, TcpListener},
    thread,
};

/// Connects a client to a server at an address of loopback, and returns the outcome of each.
fn handshake(
    server: ServerTls,
    client: ClientTls,
    host: &str,
) -> (Result<Vec<Vec<u8>>, Error>, Result<ServerWebSocket, Error>) {
    let address: IpAddr = host.trim_matches(['[', ']']).parse().unwrap_or([127, 0, 0, 1].into());
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        // A name such as `localhost` may have an address at which nobody listens.
        let (stream, _) = listener.accept().unwrap();
        Acceptor::new().tls(server).accept_tcp(stream)
    });
    let connected = Connector::new().tls(client).connect(format!("wss://{host}:{port}/"));
    let presented = connected.map(|(websocket, _)| websocket.get_ref().peer_certificates());
    (presented, server.join().unwrap())
}

#[test]
fn a_certificate_has_to_be_for_the_host() {
    for (name, host) in [("localhost", "localhost"), ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")] {
        let identity = TRUSTED.issue(name, Validity::Now);
        let (presented, server) = handshake(identity.server(), client_tls(), host);
        assert_eq!(presented.unwrap(), [identity.der], "{host}");
        assert!(server.unwrap().get_ref().is_secure());
    }
}

#[track_caller]
fn assert_refused(server: ServerTls, host: &str, fault: TlsFault, text: &str) {
    let (connected, server) = handshake(server, client_tls(), host);
    let error = connected.unwrap_err();
    let Error::Tls(tls) = &error else { panic!("{error:?}") };
    assert_eq!(tls.fault(), fault, "{error}");
    assert!(error.to_string().contains(text) && tls.source().is_some(), "{error}");
    assert!(!error.is_transient());
    // The client said why it left.
    let error = server.unwrap_err();
    assert!(matches!(&error, Error::Tls(tls) if tls.fault() == TlsFault::RefusedByPeer), "{error}");
}

#[test]
fn other_certificates_are_refused_and_the_error_says_why() {
    let trusted = |name, validity| TRUSTED.issue(name, validity).server();
    let (name, address) = ("localhost", "127.0.0.1");
    assert_refused(
        trusted("example.com", Validity::Now),
        name,
        TlsFault::WrongHost,
        "another host",
    );
    assert_refused(trusted(name, Validity::Now), address, TlsFault::WrongHost, "another host");
    assert_refused(trusted("127.0.0.2", Validity::Now), address, TlsFault::WrongHost, "host");
    assert_refused(trusted(name, Validity::Past), name, TlsFault::Expired, "has expired");
    assert_refused(trusted(name, Validity::Future), name, TlsFault::NotYetValid, "not valid yet");
    let unknown = Authority::new().issue(name, Validity::Now).server();
    assert_refused(unknown, name, TlsFault::UnknownIssuer, "not from a trusted authority");
}

#[test]
fn a_clients_certificate_reaches_the_server() {
    let identity = TRUSTED.issue("someone", Validity::Now);
    let requiring = || server_tls().require_client_certificates(TRUSTED.pem()).unwrap();
    let client = client_tls().certificate(&identity.chain, &identity.key).unwrap();
    let (_, server) = handshake(requiring(), client, "localhost");
    assert_eq!(server.unwrap().get_ref().peer_certificates(), [identity.der]);

    let stranger = Authority::new().issue("someone", Validity::Now);
    let client = client_tls().certificate(&stranger.chain, &stranger.key).unwrap();
    let (_, server) = handshake(requiring(), client, "localhost");
    let error = server.unwrap_err();
    assert!(matches!(&error, Error::Tls(tls) if tls.fault() == TlsFault::UnknownIssuer), "{error}");

    let (connected, server) = handshake(requiring(), client_tls(), "localhost");
    let error = server.unwrap_err();
    assert!(
        matches!(&error, Error::Tls(tls) if tls.fault() == TlsFault::InvalidCertificate),
        "{error}"
    );
    // The server's alert reaches the client once the client's own handshake is done.
    let error = connected.unwrap_err();
    assert!(matches!(&error, Error::Tls(tls) if tls.fault() == TlsFault::RefusedByPeer), "{error}");
}

#[test]
fn a_configuration_is_checked_when_it_is_made() {
    let identity = TRUSTED.issue("localhost", Validity::Now);
    let other = TRUSTED.issue("localhost", Validity::Now);
    let faults = [
        ServerTls::new("", &identity.key).unwrap_err(),
        ServerTls::new(&identity.chain, "").unwrap_err(),
        ServerTls::new(&identity.chain, &identity.chain).unwrap_err(),
        ServerTls::new(&identity.chain, &other.key).unwrap_err(),
        ServerTls::new("-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----", &identity.key)
            .unwrap_err(),
        server_tls().require_client_certificates(&identity.key).unwrap_err(),
        ClientTls::with_roots("no certificate").unwrap_err(),
        client_tls().certificate(&identity.chain, &other.key).unwrap_err(),
    ];
    for error in faults {
        assert_eq!(error.fault(), TlsFault::Configuration, "{error}");
        assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::InvalidInput);
    }
}

#[cfg(feature = "webpki-roots")]
#[test]
fn mozillas_authorities_are_an_alternative() {
    // What the authority of the tests issues is not theirs, and a failure to load them would differ.
    let tls = ClientTls::with_webpki_roots().unwrap();
    let (connected, _) = handshake(server_tls(), tls, "localhost");
    let error = connected.unwrap_err();
    assert!(matches!(&error, Error::Tls(tls) if tls.fault() == TlsFault::UnknownIssuer), "{error}");
}

#[cfg(feature = "rustls-0_23")]
#[test]
fn a_users_configuration_is_neither_discarded_nor_blamed_on_the_peer() {
    use crate::raw::{client_config, server_config};

    let error =
        ServerTls::from(server_config(&[])).require_client_certificates(TRUSTED.pem()).unwrap_err();
    assert_eq!(error.fault(), TlsFault::Configuration, "{error}");

    let mut config = client_config(&[]);
    config.max_fragment_size = Some(1);
    // Nobody listens there: this is found before.
    let error = Connector::new().tls(config.into()).connect("wss://localhost:1/").unwrap_err();
    assert!(matches!(&error, Error::Tls(tls) if tls.fault() == TlsFault::Configuration), "{error}");
    assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::InvalidInput);
}
