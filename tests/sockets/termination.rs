//! The end of contexts and sockets.
