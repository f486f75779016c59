//! The numbers of a launch as a struct whose fields have the names of the shader's `struct Params`.
//!
//! [`params!`] declares such a struct and describes its fields, so that a test can hold names, offsets, sizes
//! and kinds to those of the shader (`tests/shaders`).

use bytemuck::Pod;

/// What a field of a [`Params`] struct is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// One or several u32, in WGSL a scalar, a vector or an array of them.
    U32,
    /// One or several i32.
    I32,
    /// One or several f32.
    F32,
    /// One or several structs with these fields.
    Struct(&'static [ParamField]),
}

/// One field of a [`Params`] struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParamField {
    /// The name, the same in Rust and in WGSL.
    pub name: &'static str,
    /// Bytes from the start of the struct.
    pub offset: usize,
    /// Bytes of the field.
    pub size: usize,
    /// What the field is made of.
    pub kind: FieldKind,
}

/// What a launch hands to its shader as `@group(1) @binding(0) var<uniform> params: Params`. `params!`
/// implements it.
pub trait Params: Pod {
    /// The fields in the order of the struct; padding is not among them.
    const FIELDS: &'static [ParamField];
}

/// The type of a field: a number, a struct made by `params!`, or an array of one of them.
pub trait FieldType {
    /// What the type is made of.
    const KIND: FieldKind;
}

impl FieldType for u32 {
    const KIND: FieldKind = FieldKind::U32;
}

impl FieldType for i32 {
    const KIND: FieldKind = FieldKind::I32;
}

impl FieldType for f32 {
    const KIND: FieldKind = FieldKind::F32;
}

impl<T: FieldType, const N: usize> FieldType for [T; N] {
    const KIND: FieldKind = T::KIND;
}

/// Declares a struct for [`Params`], or for a struct inside one. Words that only fill a WGSL `@size` or
/// `@align` stand behind `; padding`, and the shader has no name for them.
///
/// Segment tables come last, behind the padding: with the table first, llvmpipe of Mesa 22.3 took four times
/// as long for `depthwise_gather`, and more memory to compile it.
macro_rules! params {
    (@field $name:ident, $field:ident, $type:ty) => {
        $crate::gpu::ParamField {
            name: stringify!($field),
            offset: core::mem::offset_of!($name, $field),
            size: size_of::<$type>(),
            kind: <$type as $crate::gpu::FieldType>::KIND,
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
            $(; padding: $padding:ty, $($(#[$table_meta:meta])* $table:ident: $table_type:ty,)?)?
        }
    ) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        $vis struct $name {
            $($(#[$field_meta])* $vis $field: $type,)*
            $(
                #[doc = "Fills up what WGSL aligns."]
                $vis padding: $padding,
                $($(#[$table_meta])* $vis $table: $table_type,)?
            )?
        }

        impl $crate::gpu::Params for $name {
            const FIELDS: &'static [$crate::gpu::ParamField] = &[
                $($crate::gpu::params!(@field $name, $field, $type),)*
                $($($crate::gpu::params!(@field $name, $table, $table_type),)?)?
            ];
        }

        impl $crate::gpu::FieldType for $name {
            const KIND: $crate::gpu::FieldKind =
                $crate::gpu::FieldKind::Struct(<$name as $crate::gpu::Params>::FIELDS);
        }
    };
}

pub(crate) use params;
