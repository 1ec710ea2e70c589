//! A server of either shell, and its clients as bare streams.

use sansocket::{
    CloseCode, Error, blocking,
    connection::ProtocolError,
    frame::OpCode,
    handshake::Request,
    on_tokio,
    server::{Acceptor, PerAddress, TrustedProxies},
};
use sansocket_testkit::{
    frames::failure_close,
    opening::REQUEST,
    pair::blocking::{read_head, read_to_end},
};
use socket2::{Domain, Socket, Type};
use std::{
    io::Write,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::sync::oneshot;

pub(crate) use sansocket::blocking::ServeError;

/// An echo server in a thread of its own.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    errors: Receiver<ServeError>,
    /// The addresses of clients, as the handlers see them.
    clients: Receiver<SocketAddr>,
    stop: Option<Stop>,
    thread: Option<JoinHandle<()>>,
}

enum Stop {
    Blocking(blocking::ShutdownHandle),
    Tokio(oneshot::Sender<()>),
}

/// What a server is configured with.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) limits: Option<PerAddress>,
    pub(crate) proxies: Option<TrustedProxies>,
    pub(crate) handshake_timeout: Option<Duration>,
    /// Whether handlers split their connections.
    pub(crate) splits: bool,
    /// Whether handlers return after a message.
    pub(crate) answers_once: bool,
}

impl Options {
    fn acceptor<M>(&self) -> Acceptor<M> {
        let acceptor = Acceptor::new().handshake_timeout(self.handshake_timeout.unwrap_or(LONG));
        match &self.proxies {
            Some(proxies) => acceptor.trusted_proxies(proxies.clone()),
            None => acceptor,
        }
    }
}

/// Runs a test with a server of each shell whose clients have these limits.
pub(crate) fn with_both(limits: PerAddress, test: impl Fn(&mut Running)) {
    with_options(Options { limits: Some(limits), ..Options::default() }, test);
}

/// Runs a test with a server of each shell.
pub(crate) fn with_options(options: Options, test: impl Fn(&mut Running)) {
    for start in [Running::blocking, Running::tokio] {
        let mut running = start(&options);
        test(&mut running);
        running.stop();
    }
}

impl Running {
    fn blocking(options: &Options) -> Self {
        let (listener, address, report, errors) = listen();
        let (tell, clients) = channel();
        let Options { splits, answers_once, .. } = *options;
        let server = blocking::serve(listener, move |mut websocket, request: Request| {
            let _ = tell.send(request.client_address().unwrap());
            if splits {
                let (mut sender, receiver) = websocket.split()?;
                for message in receiver {
                    sender.send(message?)?;
                }
                return Ok(());
            }
            while let Some(message) = websocket.next() {
                websocket.send(message?)?;
                if answers_once {
                    break;
                }
            }
            Ok::<(), Error>(())
        })
        .acceptor(options.acceptor())
        .limits_per_address(options.limits.unwrap_or_default())
        .on_error(move |error| drop(report.send(error)));
        let stop = Some(Stop::Blocking(server.shutdown_handle()));
        let thread = Some(thread::spawn(move || server.run()));
        Self { address, errors, clients, stop, thread }
    }

    fn tokio(options: &Options) -> Self {
        let (listener, address, report, errors) = listen();
        let (tell, clients) = channel();
        let (stop, stopped) = oneshot::channel();
        let options = options.clone();
        let serve = async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            on_tokio::serve(listener, move |mut websocket, request: Request| {
                let _ = tell.send(request.client_address().unwrap());
                async move {
                    if options.splits {
                        let (mut sender, mut receiver) = websocket.split();
                        while let Some(message) = receiver.next().await {
                            sender.send(message?).await?;
                        }
                        return Ok(());
                    }
                    while let Some(message) = websocket.next().await {
                        websocket.send(message?).await?;
                        if options.answers_once {
                            break;
                        }
                    }
                    Ok::<(), Error>(())
                }
            })
            .acceptor(options.acceptor())
            .limits_per_address(options.limits.unwrap_or_default())
            .on_error(move |error| drop(report.send(error)))
            .shutdown(async { drop(stopped.await) })
            .await;
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let thread = Some(thread::spawn(move || runtime.block_on(serve)));
        Self { address, errors, clients, stop: Some(Stop::Tokio(stop)), thread }
    }

    /// Returns a stream of a client at this loopback address.
    pub(crate) fn stream(&self, from: &str) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(from.parse().unwrap(), 0).into()).unwrap();
        socket.connect(&self.address.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// Sends a request, and returns the response.
    pub(crate) fn request(&self, from: &str) -> (TcpStream, String) {
        let mut stream = self.stream(from);
        stream.write_all(REQUEST).unwrap();
        let head = String::from_utf8(read_head(&mut stream)).unwrap();
        (stream, head)
    }

    pub(crate) fn open(&self, from: &str) -> TcpStream {
        let (stream, head) = self.request(from);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        stream
    }

    /// Checks that a client is refused, and returns its stream.
    pub(crate) fn check_refused(&mut self, from: &str) -> (TcpStream, String) {
        let (stream, head) = self.request(from);
        assert!(head.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "{head}");
        (stream, head)
    }

    /// Waits for the next handler, and returns the address of its client.
    pub(crate) fn client(&self) -> SocketAddr {
        self.clients.recv_timeout(LONG).unwrap()
    }

    /// Waits for the next error.
    pub(crate) fn error(&mut self) -> ServeError {
        self.errors.recv_timeout(LONG).unwrap()
    }

    /// Checks that a client failed its connection, and that its handler was told.
    pub(crate) fn check_failed(&mut self, mut stream: TcpStream, error: ProtocolError) {
        assert_eq!(error.close_code(), CloseCode::POLICY_VIOLATION);
        let received = read_to_end(&mut stream);
        assert!(received.ends_with(&failure_close(error)), "{received:x?}");
        // A handler in a thread returns once the client has ended its side. It may have done so.
        let _ = stream.shutdown(Shutdown::Write);
        let ServeError::Handler { peer, error: reported } = self.error() else { panic!() };
        assert_eq!(peer, stream.local_addr().unwrap());
        let reported = reported.downcast_ref::<Error>();
        assert!(matches!(reported, Some(Error::Protocol(it)) if *it == error), "{reported:?}");
    }

    fn stop(mut self) {
        match self.stop.take() {
            Some(Stop::Blocking(handle)) => handle.shutdown(),
            Some(Stop::Tokio(stop)) => drop(stop.send(())),
            None => {}
        }
        self.thread.take().unwrap().join().unwrap();
        let rest: Vec<_> = self.errors.try_iter().collect();
        assert!(rest.is_empty(), "{rest:?}");
    }
}

/// So long that only a server that hangs needs it.
const LONG: Duration = Duration::from_secs(30);

fn listen() -> (TcpListener, SocketAddr, Sender<ServeError>, Receiver<ServeError>) {
    // Any address of loopback reaches it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (report, errors) = channel();
    (listener, address, report, errors)
}

/// Returns a masked text.
pub(crate) fn text(payload: &[u8]) -> Vec<u8> {
    sansocket_testkit::frames::masked(0x80 | OpCode::Text as u8, payload)
}
