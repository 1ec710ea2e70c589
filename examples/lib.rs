//! Nothing: the examples beside this file are what this package is for.
