//! The engine's two protocols, checked exhaustively. Each has broken twins, which the checker must refute: a checker that
//! accepts everything proves nothing.

mod claims;
mod claims_checked;
mod sleep;
