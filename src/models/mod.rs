//! EfficientNets and ResNets as graphs, with the parameter names of timm.
