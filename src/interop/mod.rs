//! Files that other programs read: safetensors, ONNX, TensorBoard events, MLflow's file store, NumPy
//! arrays, other tools' weights.

pub mod atomic;
pub mod foreign_names;
pub mod free_space;
pub mod mlflow;
pub mod npy;
pub mod onnx;
pub mod rounding;
mod shards;
pub mod state_dict;
pub mod tensor_file;
pub mod tensorboard;
