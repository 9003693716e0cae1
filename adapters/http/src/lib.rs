//! HTTPS transport on hyper and rustls.
