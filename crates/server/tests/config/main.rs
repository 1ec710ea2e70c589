//! What an operator can get wrong: tokens and keys, the configuration, and the flags of the program.

mod contradictions;
mod jwt;
mod program;
mod served;
