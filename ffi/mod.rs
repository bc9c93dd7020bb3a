//! The extern "C" layer.
