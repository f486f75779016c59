//! `dualprop data export`: any data set as an image folder.

use crate::cli::common::{UsageError, note, print_line};
use crate::cli::eval::source;
use crate::cli::progress::Progress;
use crate::config::{DataConfig, DataSource};
use crate::words::counted;
use std::path::PathBuf;

/// Writes a data set as an image folder, SPLIT/CLASS/NUMBER.png.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dualprop data export shapes --out shapes-as-files --image-size 64")]
pub(super) struct Export {
    /// shapes, cifar10, cifar100, fashion_mnist, folder, csv, webdataset or parquet
    #[arg(value_name = "NAME", value_parser = source)]
    name: DataSource,
    /// New or empty folder to write to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Folder of the data set's own files; shapes needs none
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Side of the square images in pixels
    #[arg(long, value_name = "S", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4096))]
    image_size: u16,
}

impl Export {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if self.name.needs_path() && self.path.is_none() {
            return Err(UsageError("--path DIR is needed for every data set but shapes".into()).into());
        }
        let path = self.path.map(|p| p.display().to_string()).unwrap_or_default();
        let size = usize::from(self.image_size);
        let config = DataConfig { source: self.name, path, image_size: size, ..DataConfig::default() };
        let splits = crate::data::open(&config)?;
        splits.notes().iter().for_each(|sentence| note(&format!("note: {sentence}")));
        let mut progress = Progress::new("exporting", "images");
        let report =
            crate::data::export(&splits, size, &self.out, |done, total| progress.update(done, total))?;
        drop(progress);
        for name in &report.damaged {
            note(&format!("left out, for it cannot be used: {name}"));
        }
        print_line(&format!("{} in {}", counted(report.written, "image"), self.out.display()))
    }
}
