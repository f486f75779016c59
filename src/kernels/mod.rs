//! One host-side file a kernel: shapes in, launches out. `reference` holds the plain CPU versions.
