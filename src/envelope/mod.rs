//! The envelope that eSign puts its callback messages in.
