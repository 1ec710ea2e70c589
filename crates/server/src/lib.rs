//! A real-time server on [axum](https://docs.rs/axum): STOMP over WebSocket, SockJS, Server-Sent Events and
//! polling, over [`sansocket_realtime`].
