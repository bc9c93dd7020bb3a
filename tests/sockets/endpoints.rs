//! Binding, connecting and undoing them.
