//! The example subscribe as a process, against servers that follow a script, and with the server of this
//! repository.

mod arguments;
mod event_streams;
mod failures;
mod file;
mod http_script;
mod polls;
mod process;
mod publishing;
mod server;
mod stomp;
mod stomp_script;
mod tls;
mod with_server;
