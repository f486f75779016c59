//! Files that other programs read: safetensors, TensorBoard events, NumPy arrays, other tools' weights.

pub mod atomic;
pub mod foreign_names;
pub mod free_space;
pub mod npy;
mod shards;
pub mod state_dict;
pub mod tensor_file;
pub mod tensorboard;
