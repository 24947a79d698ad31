//! Tables of objects and their descriptions.
