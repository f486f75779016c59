//! Files that other programs read: TensorBoard events, NumPy arrays.
