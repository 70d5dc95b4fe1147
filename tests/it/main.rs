//! Integration tests.

mod sign;
