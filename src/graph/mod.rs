//! Typed operations with shapes and their backward pass, compiled to an executable plan.
