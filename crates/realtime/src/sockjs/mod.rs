//! Sessions of SockJS.
