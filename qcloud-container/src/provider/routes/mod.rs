//! Routes to the pods of nodes.
