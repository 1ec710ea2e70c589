//! The processor time of the example relay, beside that of a relay that copies bytes of TCP.
//!
//! ```sh
//! cargo build --release -p sansocket-examples --example relay
//! cargo bench --features tokio --bench relay -- 15 1500
//! ```
//!
//! The arguments are the number of rounds, and of messages in each. Both relays are processes, with one
//! thread and tokio. In each round, one after the other passes on the same echoes, in changing order. The
//! table has the medians of user and system time a message there and back, and the median of the ratios
//! of the rounds. With `--test`, it only checks that the bare relay works. Needs Linux.

use sansocket::{
    blocking::{accept, connect},
    frame::{FrameHeader, MAX_FRAME_HEADER, OpCode, Rsv},
    mask::MaskKey,
};
use std::{
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};
use tokio::{io::copy_bidirectional_with_sizes, runtime::Builder};

/// The first argument of the process of the bare relay.
const BARE: &str = "bare";

/// As much as the example reads at a time.
const ROOM: usize = 64 << 10;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if let [BARE, server] = &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return relay_bytes(server);
    }
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse().ok());
    let (rounds, count) = match is_test {
        true => (1, 10),
        false => (numbers.next().unwrap_or(15), numbers.next().unwrap_or(1500)),
    };
    println!("| message | outstanding | bare TCP | frames | ratio |");
    println!("|--:|--:|--:|--:|--:|");
    for (size, outstanding) in [(125, 1), (1 << 10, 1), (16 << 10, 1), (16 << 10, 8), (1 << 20, 1)]
    {
        let server = echo_server(size)?;
        let mut bare = Relay::start(Command::new(env::current_exe()?).args([BARE, &server]))?;
        bare.measure(size, outstanding, count)?;
        if is_test {
            continue;
        }
        let example = example()?;
        let url = format!("ws://{server}");
        let arguments = [&url, "--listen", "127.0.0.1:0"];
        let mut frames = Relay::start(Command::new(&example).args(arguments))?;
        frames.measure(size, outstanding, count)?;
        // A megabyte takes as long as many small messages.
        let count = if size > 100_000 { count / 20 } else { count };
        let mut times = Vec::new();
        for round in 0..rounds {
            times.push(if round % 2 == 0 {
                let first = bare.measure(size, outstanding, count)?;
                (first, frames.measure(size, outstanding, count)?)
            } else {
                let first = frames.measure(size, outstanding, count)?;
                (bare.measure(size, outstanding, count)?, first)
            });
        }
        let all = |part: fn(&(f64, f64)) -> f64| median(times.iter().map(part).collect());
        println!(
            "| {size} | {outstanding} | {:.2} µs | {:.2} µs | {:.3} |",
            all(|(bare, _)| *bare),
            all(|(_, frames)| *frames),
            all(|(bare, frames)| frames / bare),
        );
    }
    Ok(())
}

/// Returns the path of the example, which is built beside this program.
fn example() -> Outcome<PathBuf> {
    let mut path = env::current_exe()?;
    path.pop();
    path.pop();
    path.extend(["examples", "relay"]);
    if path.exists() { Ok(path) } else { Err(format!("{} is missing", path.display()).into()) }
}

/// Copies bytes between each client and a connection to the server.
fn relay_bytes(server: &str) -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on ws://{}", listener.local_addr()?);
    listener.set_nonblocking(true)?;
    Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (mut client, _) = listener.accept().await?;
            let mut server = tokio::net::TcpStream::connect(server).await?;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            tokio::spawn(async move {
                let _ = copy_bidirectional_with_sizes(&mut client, &mut server, ROOM, ROOM).await;
            });
        }
    })
}

struct Relay {
    process: Child,
    client: TcpStream,
}

impl Relay {
    /// Starts a relay, and opens a connection through it.
    fn start(command: &mut Command) -> Outcome<Self> {
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let url = line.trim().strip_prefix("listening on ").ok_or("no address")?;
        let client = connect(url)?.into_parts().transport.tcp().ok_or("no TCP")?.try_clone()?;
        Ok(Self { process, client })
    }

    /// Sends messages, so many before the echo of the first, and returns the processor time of each in
    /// microseconds.
    fn measure(&mut self, size: usize, outstanding: usize, count: usize) -> Outcome<f64> {
        let message = frame(size, Some(MaskKey::new([1, 2, 3, 4]))).repeat(outstanding);
        let mut echo = vec![0; frame(size, None).len() * outstanding];
        let before = self.processor_time()?;
        let writer = self.client.try_clone()?;
        for _ in 0..count.div_ceil(outstanding) {
            thread::scope(|scope| -> Outcome<()> {
                // Large messages do not fit into the buffers of the system.
                if message.len() > 500_000 {
                    scope.spawn(|| (&writer).write_all(&message));
                } else {
                    (&writer).write_all(&message)?;
                }
                Ok(self.client.read_exact(&mut echo)?)
            })?;
        }
        Ok((self.processor_time()? - before) / count as f64)
    }

    /// Returns the user and system time of all threads in microseconds.
    fn processor_time(&self) -> Outcome<f64> {
        let mut sum = 0.0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            sum += text.split(' ').next().ok_or("no time")?.parse::<f64>()? / 1000.0;
        }
        Ok(sum)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a server that answers each message of this size with another one. Returns its address.
fn echo_server(size: usize) -> Outcome<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let websocket = accept(stream).ok()?;
                let mut stream = websocket.into_parts().transport.tcp()?.try_clone().ok()?;
                let mut message = frame(size, Some(MaskKey::new([0; 4])));
                let echo = frame(size, None);
                loop {
                    stream.read_exact(&mut message).ok()?;
                    stream.write_all(&echo).ok()?;
                }
                #[expect(unreachable_code, reason = "names the type of the closure")]
                Some(())
            });
        }
    });
    Ok(address)
}

/// Encodes a binary message of zeros.
fn frame(size: usize, mask: Option<MaskKey>) -> Vec<u8> {
    let (opcode, payload_len) = (OpCode::Binary, size as u64);
    let header = FrameHeader { fin: true, rsv: Rsv::NONE, opcode, mask, payload_len };
    let mut bytes = [0; MAX_FRAME_HEADER];
    let len = header.encode(&mut bytes);
    [&bytes[..len], &vec![0; size]].concat()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
