//! The tokio shell: conversations, endings, cancel safety, halves, and minimal transports.
#![cfg(feature = "tokio")]

mod cancel_both;
mod cancel_receive;
mod cancel_send;
mod connecting;
mod control_frames;
mod cuts;
mod data_rate;
mod deadlines;
mod deflate;
mod endings;
mod faults;
mod half_close;
mod halves;
mod handshake;
mod idle;
mod keepalive;
mod leaving;
mod losses;
mod methods;
mod no_timer;
mod opening;
mod prepared;
mod pushing;
mod reconnecting;
mod reconnecting_gone_peer;
mod reconnecting_sends;
mod redirects;
mod serve;
mod sockets;
mod split;
mod transports;
mod turns;
mod visiting;
mod waiting;
mod writes;
