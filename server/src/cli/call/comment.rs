//! What the proto files say of their things.

use prost_reflect::FileDescriptor;

/// The comment before the thing at a path, one line after another.
pub(super) fn comment(file: &FileDescriptor, path: &[i32]) -> Vec<String> {
    let Some(info) = &file.file_descriptor_proto().source_code_info else { return Vec::new() };
    let location = info.location.iter().find(|location| location.path == path);
    let text = location.map(|location| location.leading_comments()).unwrap_or_default();
    text.trim_end().lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()).collect()
}

/// The first paragraph of a comment, on one line.
pub(super) fn summary(comment: &[String]) -> String {
    let first: Vec<_> = comment.iter().take_while(|line| !line.is_empty()).map(String::as_str).collect();
    first.join(" ")
}
