//! What the page weighs: bytes of the built files as they are and compressed by brotli.

use crate::shell::{command, output_of, root};
use std::path::{Path, PathBuf};

/// Prints the size of each file of dist/ and pkg/, plain and brotli.
pub fn sizes() {
    println!("\n{:>10} {:>10}  file", "bytes", "brotli");
    for folder in ["dist", "pkg"] {
        let mut files = Vec::new();
        walk(&root().join(folder), &mut files);
        files.sort();
        for file in files {
            let bytes = std::fs::metadata(&file).map_or(0, |data| data.len());
            let name = file.strip_prefix(root()).unwrap_or(&file).display().to_string();
            println!(
                "{bytes:>10} {:>10}  {name}",
                brotli(&file).map_or("?".to_string(), |size| size.to_string())
            );
        }
    }
}

/// Bytes of the file after brotli at its best, by node's own zlib.
pub fn brotli(file: &Path) -> Option<u64> {
    let script = "const z=require('zlib'),b=require('fs').readFileSync(process.argv[1]);\
                  console.log(z.brotliCompressSync(b,{params:{[z.constants.BROTLI_PARAM_SIZE_HINT]:b.length,\
                  [z.constants.BROTLI_PARAM_LGWIN]:24}}).length)";
    output_of(command("node").arg("-e").arg(script).arg(file))?
        .trim()
        .parse()
        .ok()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            walk(&path, files)
        } else {
            files.push(path)
        }
    }
}
