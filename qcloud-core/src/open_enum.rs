//! Enums that stay open: a value that this version does not know is kept, not refused.

/// Defines an enum over strings with an `Unknown` variant for values that are not listed.
///
/// `Display`, `FromStr` (which never fails), serde and comparison with `str` all use the wire value.
///
/// ```
/// qcloud_core::open_enum! {
///     /// Life-cycle state of a lamp.
///     pub enum LampState {
///         /// Shining.
///         On = "ON",
///         /// Dark.
///         Off = "OFF",
///     }
/// }
/// assert_eq!(LampState::from("ON"), LampState::On);
/// assert_eq!(LampState::from("DIMMED").as_str(), "DIMMED");
/// assert!(LampState::Off == "OFF");
/// ```
#[macro_export]
macro_rules! open_enum {
    ($(#[$attribute:meta])* pub enum $name:ident { $($(#[$about:meta])* $variant:ident = $wire:literal),+ $(,)? }) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$about])* $variant,)+
            /// A value that this version of the crate does not know, or the empty text of an absent one.
            Unknown(String),
        }

        impl $name {
            /// Every value that this version knows.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),+];

            /// The value as the API writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $wire,)+
                    Self::Unknown(value) => value,
                }
            }
        }

        impl ::core::convert::From<&str> for $name {
            fn from(value: &str) -> Self {
                match value {
                    $($wire => Self::$variant,)+
                    other => Self::Unknown(other.into()),
                }
            }
        }

        $crate::open_enum!(@text $name);
    };
    (@text $name:ident) => {
        impl ::core::default::Default for $name {
            fn default() -> Self {
                Self::Unknown(String::new())
            }
        }

        impl ::core::convert::From<String> for $name {
            fn from(value: String) -> Self {
                Self::from(value.as_str())
            }
        }

        impl ::core::str::FromStr for $name {
            type Err = ::core::convert::Infallible;
            fn from_str(value: &str) -> ::core::result::Result<Self, Self::Err> {
                Ok(Self::from(value))
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::core::cmp::PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl ::core::cmp::PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl $crate::wire::serde::Serialize for $name {
            fn serialize<S: $crate::wire::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> $crate::wire::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::wire::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                $crate::wire::from_text(deserializer)
            }
        }
    };
}

/// Defines an enum over integers with an `Unknown` variant for values that are not listed.
///
/// ```
/// qcloud_core::open_int_enum! {
///     /// Whether a lamp is ready.
///     pub enum LampStatus {
///         /// Being made.
///         Creating = 0,
///         /// Ready.
///         Normal = 1,
///     }
/// }
/// assert_eq!(LampStatus::from(1), LampStatus::Normal);
/// assert_eq!(LampStatus::from(7).value(), 7);
/// assert_ne!(LampStatus::default(), LampStatus::Creating);
/// assert_eq!(LampStatus::Normal.to_string(), "Normal");
/// ```
#[macro_export]
macro_rules! open_int_enum {
    ($(#[$attribute:meta])* pub enum $name:ident { $($(#[$about:meta])* $variant:ident = $wire:literal),+ $(,)? }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$about])* $variant,)+
            /// A value that this version of the crate does not know, or `i64::MIN` for an absent one.
            Unknown(i64),
        }

        impl $name {
            /// Every value that this version knows.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),+];

            /// The value as the API writes it.
            #[must_use]
            pub fn value(self) -> i64 {
                match self {
                    $(Self::$variant => $wire,)+
                    Self::Unknown(value) => value,
                }
            }
        }

        impl ::core::convert::From<i64> for $name {
            fn from(value: i64) -> Self {
                match value {
                    $($wire => Self::$variant,)+
                    other => Self::Unknown(other),
                }
            }
        }

        impl ::core::default::Default for $name {
            fn default() -> Self {
                Self::Unknown(i64::MIN)
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self {
                    $(Self::$variant => f.pad(stringify!($variant)),)+
                    Self::Unknown(value) => write!(f, "Unknown({value})"),
                }
            }
        }

        impl $crate::wire::serde::Serialize for $name {
            fn serialize<S: $crate::wire::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                serializer.serialize_i64(self.value())
            }
        }

        impl<'de> $crate::wire::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::wire::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                $crate::wire::from_number(deserializer)
            }
        }
    };
}
