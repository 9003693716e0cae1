//! A small world on loopback for the demo and the black-box tests.
