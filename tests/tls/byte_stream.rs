//! TLS through a stream of bytes over a WebSocket.

use crate::raw::{client_config, server_config};
use rustls::{ClientConnection, ServerConnection, StreamOwned};
use sansocket_testkit::{noise::noise, pair::blocking::pair};
use std::{
    io::{Read, Write},
    sync::Arc,
    thread,
};

/// rustls knows nothing of WebSocket, and its end of the stream is checked too.
#[test]
fn tls_runs_through_a_blocking_stream() {
    const LEN: usize = 1 << 20;
    let (client, server) = pair();
    let server = thread::spawn(move || {
        let session = ServerConnection::new(Arc::new(server_config(&[]))).unwrap();
        let mut tls = StreamOwned::new(session, server.into_byte_stream());
        let mut request = vec![0; LEN];
        tls.read_exact(&mut request).unwrap();
        assert!(request == noise(LEN, 1));
        tls.write_all(&noise(LEN, 2)).unwrap();
        tls.conn.send_close_notify();
        tls.flush().unwrap();
        tls.sock.shutdown().unwrap();
        tls.sock.wait_closed()
    });
    let session =
        ClientConnection::new(Arc::new(client_config(&[])), "localhost".try_into().unwrap());
    let mut tls = StreamOwned::new(session.unwrap(), client.into_byte_stream());
    tls.write_all(&noise(LEN, 1)).unwrap();
    tls.flush().unwrap();
    let mut response = Vec::new();
    tls.read_to_end(&mut response).unwrap();
    assert!(response == noise(LEN, 2));
    assert_eq!(tls.sock.read(&mut [0]).unwrap(), 0);
    assert!(server.join().unwrap().clean);
}

/// The client's TLS, and a WebSocket in it, run through a tunnel to a TLS server.
#[cfg(feature = "tokio")]
#[::tokio::test]
async fn tls_runs_through_a_stream_of_tokio() {
    use crate::authority::{client_tls, server_tls};
    use ::tokio::{
        io::copy_bidirectional,
        net::{TcpListener, TcpStream},
        spawn,
    };
    use sansocket::{
        CloseCode,
        on_tokio::{Acceptor, Connector, Stream},
    };
    use sansocket_testkit::pair::tokio::pair;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = spawn(async move {
        let acceptor = Acceptor::new().tls(server_tls());
        let mut server = acceptor.accept_tcp(listener.accept().await.unwrap().0).await.unwrap();
        while let Some(message) = server.next().await {
            server.send(message.unwrap()).await.unwrap();
        }
        server.wait_closed().await
    });
    let (near, far) = pair(Connector::new(), Acceptor::new()).await;
    let tunnel = spawn(async move {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        copy_bidirectional(&mut far.into_byte_stream(), &mut tcp).await
    });
    let near = std::sync::Mutex::new(Some(near));
    let connector = Connector::new().tls(client_tls()).dialer(move |_, _| {
        let near = near.lock().unwrap().take().expect("it is called once");
        async { Ok(Stream::boxed(near.into_byte_stream())) }
    });
    let (mut client, _) = connector.connect("wss://localhost/").await.unwrap();
    assert!(client.get_ref().is_secure());
    let data = noise(1 << 20, 1);
    client.send(&data).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap().into_bytes(), data);
    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(client.wait_closed().await.clean);
    assert!(server.await.unwrap().clean);
    drop(client);
    tunnel.await.unwrap().unwrap();
}
