//! Signing: TC3-HMAC-SHA256.
