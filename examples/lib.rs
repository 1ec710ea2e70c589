//! Empty: this package exists for the examples beside this file.
