//! The protocol under a network that loses, delays and repeats.
