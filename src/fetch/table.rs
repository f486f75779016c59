//! The public sets: addresses, lengths, checksums, licences.
//!
//! Lengths and checksums are from the lists that TensorFlow Datasets keeps
//! (`tensorflow_datasets/url_checksums`, called TFDS below), unless a set says where else from.

use super::Checksum::{self, Md5, Sha256};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// It is used as it is.
    File,
    /// A tar archive, compressed by gzip or not. So many folders around everything are left out.
    Tar { strip: usize },
}

/// A file of a set.
#[derive(Clone, Copy, Debug)]
pub struct RemoteFile {
    pub address: &'static str,
    pub bytes: u64,
    pub checksum: Checksum,
    pub content: Content,
}

impl RemoteFile {
    /// The last part of the address.
    pub fn name(&self) -> &'static str {
        self.address.rsplit('/').next().unwrap_or(self.address)
    }

    /// Where it is downloaded from.
    pub(super) fn address(&self, mirror: Option<&str>) -> String {
        match mirror {
            Some(mirror) => format!("{}/{}", mirror.trim_end_matches('/'), self.name()),
            None => self.address.to_owned(),
        }
    }

    /// Most bytes that come out of it. Archives hold photographs, which gzip hardly makes smaller, or raw
    /// pixels, of which it leaves nine tenths; half as much again is more than any of them holds.
    pub(super) fn unpacked(&self) -> u64 {
        match self.content {
            Content::File => self.bytes,
            Content::Tar { .. } => self.bytes * 3 / 2,
        }
    }
}

/// How the files of a set lie in its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As they come out of the archives.
    AsUnpacked,
    /// Class folders of a set for evaluation alone, which become the folder `val`.
    Evaluation,
    /// Oxford's images with their labels in MATLAB files.
    Flowers102,
}

/// A public data set.
#[derive(Clone, Copy, Debug)]
pub struct PublicSet {
    /// The word on the command line.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub about: &'static str,
    /// The page that speaks for it.
    pub source: &'static str,
    /// What its authors say of its use.
    pub licence: &'static str,
    pub files: &'static [RemoteFile],
    pub layout: Layout,
    /// The value of `data.source` that trains on it; `None`: it is for evaluation alone.
    pub train_source: Option<&'static str>,
    /// What `dualprop eval` needs beside the checkpoint and `--path`.
    pub evaluate: &'static str,
}

impl PublicSet {
    /// Bytes to download.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Bytes of free space that are enough for it. Each archive is removed once it is unpacked.
    pub fn room(&self) -> u64 {
        let unpacked: u64 = self.files.iter().map(RemoteFile::unpacked).sum();
        let archives = self.files.iter().filter(|file| file.content != Content::File);
        unpacked + archives.map(|file| file.bytes).max().unwrap_or(0)
    }
}

/// The set of that name.
pub fn find(name: &str) -> Option<&'static PublicSet> {
    SETS.iter().find(|set| set.name == name)
}

/// An archive with one folder around everything.
const ARCHIVE: Content = Content::Tar { strip: 1 };

const fn file(address: &'static str, bytes: u64, checksum: Checksum, content: Content) -> RemoteFile {
    RemoteFile { address, bytes, checksum, content }
}

/// All sets.
pub const SETS: &[PublicSet] = &[
    PublicSet {
        name: "cifar10",
        about: "CIFAR-10: 50,000 + 10,000 colour images of 32×32 pixels in 10 classes",
        source: "https://www.cs.toronto.edu/~kriz/cifar.html",
        licence: "none stated; the authors ask to cite Krizhevsky 2009",
        // TFDS, cifar10.txt.
        files: &[file(
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            170_052_171,
            Sha256("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
            ARCHIVE,
        )],
        layout: Layout::AsUnpacked,
        train_source: Some("cifar10"),
        evaluate: "--data cifar10",
    },
    PublicSet {
        name: "cifar100",
        about: "CIFAR-100: 50,000 + 10,000 colour images of 32×32 pixels in 100 classes",
        source: "https://www.cs.toronto.edu/~kriz/cifar.html",
        licence: "none stated; the authors ask to cite Krizhevsky 2009",
        // TFDS, cifar100.txt.
        files: &[file(
            "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            168_513_733,
            Sha256("58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"),
            ARCHIVE,
        )],
        layout: Layout::AsUnpacked,
        train_source: Some("cifar100"),
        evaluate: "--data cifar100",
    },
    PublicSet {
        name: "fashion_mnist",
        about: "Fashion-MNIST: 60,000 + 10,000 grey images of 28×28 pixels in 10 classes of clothing",
        source: "https://github.com/zalandoresearch/fashion-mnist",
        licence: "MIT",
        // TFDS, fashion_mnist.txt.
        files: &[
            file(
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-images-idx3-ubyte.gz",
                26_421_880,
                Sha256("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
                Content::File,
            ),
            file(
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-labels-idx1-ubyte.gz",
                29_515,
                Sha256("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
                Content::File,
            ),
            file(
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-images-idx3-ubyte.gz",
                4_422_102,
                Sha256("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
                Content::File,
            ),
            file(
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-labels-idx1-ubyte.gz",
                5_148,
                Sha256("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
                Content::File,
            ),
        ],
        layout: Layout::AsUnpacked,
        train_source: Some("fashion_mnist"),
        evaluate: "--data fashion_mnist",
    },
    PublicSet {
        name: "flowers102",
        about: "Oxford 102 flowers: 1,020 + 1,020 photographs and 6,149 for the test, in 102 classes by number",
        source: "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
        licence: "none stated; the authors ask to cite Nilsback and Zisserman 2008",
        // TFDS, oxford_flowers102.txt.
        files: &[
            file(
                "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/102flowers.tgz",
                344_862_509,
                Sha256("2d01ecc807db462958cfe3d92f57a8c252b4abd240eb955770201e45f783b246"),
                ARCHIVE,
            ),
            file(
                "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/imagelabels.mat",
                502,
                Sha256("4903e94206bac23bf772aadf06451916df56b58fc483a62db32a97b82656651d"),
                Content::File,
            ),
            file(
                "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/setid.mat",
                14_989,
                Sha256("46b8678f91fd95d3c8f4feab80d271a6c834a1dd896fe29fd3e6ad9ce5c8dccd"),
                Content::File,
            ),
        ],
        layout: Layout::Flowers102,
        train_source: Some("folder"),
        evaluate: "--data folder:test",
    },
    PublicSet {
        name: "imagenette",
        about: "Imagenette 2, 320 px: 9,469 + 3,925 photographs of ten easy classes of ImageNet",
        source: "https://github.com/fastai/imagenette",
        licence: "Apache-2.0 for the selection; the photographs are ImageNet's, for research without profit",
        // TFDS, datasets/imagenette/checksums.tsv; fastai's data/checks.txt has the same length.
        files: &[file(
            "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz",
            341_663_724,
            Sha256("569b4497c98db6dd29f335d1f109cf315fe127053cedf69010d047f0188e158c"),
            ARCHIVE,
        )],
        layout: Layout::AsUnpacked,
        train_source: Some("folder"),
        evaluate: "--data folder",
    },
    PublicSet {
        name: "imagewoof",
        about: "Imagewoof 2, 320 px: 9,025 + 3,929 photographs of ten breeds of dog in ImageNet",
        source: "https://github.com/fastai/imagenette",
        licence: "Apache-2.0 for the selection; the photographs are ImageNet's, for research without profit",
        // The length from fastai's data/checks.txt. TFDS has the sum of an older archive; this one is that of
        // three independent public readers of the set, which agree.
        files: &[file(
            "https://s3.amazonaws.com/fast-ai-imageclas/imagewoof2-320.tgz",
            328_387_740,
            Md5("0f46d997ec2264e97609196c95897a44"),
            ARCHIVE,
        )],
        layout: Layout::AsUnpacked,
        train_source: Some("folder"),
        evaluate: "--data folder",
    },
    PublicSet {
        name: "cifar10-c",
        about: "CIFAR-10-C: CIFAR-10's test images under 19 corruptions at five severities",
        source: "https://zenodo.org/records/2535967",
        licence: "CC-BY-4.0",
        // TFDS, cifar10_corrupted.txt.
        files: &[file(
            "https://zenodo.org/record/2535967/files/CIFAR-10-C.tar",
            2_918_471_680,
            Sha256("c72763e101c723b7c507b96205f7e938912a5d587376173b825850cf3cb876a7"),
            ARCHIVE,
        )],
        layout: Layout::AsUnpacked,
        train_source: None,
        evaluate: "--data cifar10-c --corruptions all",
    },
    PublicSet {
        name: "cifar100-c",
        about: "CIFAR-100-C: CIFAR-100's test images under 19 corruptions at five severities",
        source: "https://zenodo.org/records/3555552",
        licence: "CC-BY-4.0",
        // TFDS, cifar100_corrupted.txt.
        files: &[file(
            "https://zenodo.org/record/3555552/files/CIFAR-100-C.tar",
            2_918_473_216,
            Sha256("30ee6543a1bfd049fa33834b7c1ada301e7064b7fbe8fc38340eb8b62ced4b33"),
            ARCHIVE,
        )],
        layout: Layout::AsUnpacked,
        train_source: None,
        evaluate: "--data cifar100-c --corruptions all",
    },
    PublicSet {
        name: "imagenet-a",
        about: "ImageNet-A: 7,500 photographs of 200 classes of ImageNet that mislead networks",
        source: "https://github.com/hendrycks/natural-adv-examples",
        licence: "MIT for the collection; the photographs are their photographers'",
        // TFDS, imagenet_a.txt.
        files: &[file(
            "https://people.eecs.berkeley.edu/~hendrycks/imagenet-a.tar",
            687_552_512,
            Sha256("3bb3632277e6ba6392ea64c02ddbf4dd2266c9caffd6bc09c9656d28f012589e"),
            ARCHIVE,
        )],
        layout: Layout::Evaluation,
        train_source: None,
        evaluate: "--data folder --data-classes-only",
    },
    PublicSet {
        name: "imagenet-r",
        about: "ImageNet-R: 30,000 renditions (art, cartoons, toys) of 200 classes of ImageNet",
        source: "https://github.com/hendrycks/imagenet-r",
        licence: "MIT for the collection; the pictures are their makers'",
        // TFDS, imagenet_r.txt.
        files: &[file(
            "https://people.eecs.berkeley.edu/~hendrycks/imagenet-r.tar",
            2_191_079_936,
            Sha256("18c6bf493b39a0d975d48e587437f562caab9c52ae6327dcfa9dd8eb54aa1b52"),
            ARCHIVE,
        )],
        layout: Layout::Evaluation,
        train_source: None,
        evaluate: "--data folder --data-classes-only",
    },
    PublicSet {
        name: "imagenet-c",
        about: "ImageNet-C: ImageNet's validation images under 19 corruptions at five severities",
        source: "https://zenodo.org/records/2235448",
        licence: "CC-BY-4.0; the photographs are ImageNet's, for research without profit",
        // Zenodo's record states the lengths and the sums; torch-uncertainty and others check against the
        // same sums. No folder is around everything.
        files: &[
            file(
                "https://zenodo.org/record/2235448/files/blur.tar",
                7_112_704_951,
                Md5("2d8e81fdd8e07fef67b9334fa635e45c"),
                Content::Tar { strip: 0 },
            ),
            file(
                "https://zenodo.org/record/2235448/files/digital.tar",
                7_757_510_705,
                Md5("89157860d7b10d5797849337ca2e5c03"),
                Content::Tar { strip: 0 },
            ),
            file(
                "https://zenodo.org/record/2235448/files/extra.tar",
                15_789_490_144,
                Md5("d492dfba5fc162d8ec2c3cd8ee672984"),
                Content::Tar { strip: 0 },
            ),
            file(
                "https://zenodo.org/record/2235448/files/noise.tar",
                22_565_673_785,
                Md5("e80562d7f6c3f8834afb1ecf27252745"),
                Content::Tar { strip: 0 },
            ),
            file(
                "https://zenodo.org/record/2235448/files/weather.tar",
                12_797_438_995,
                Md5("33ffea4db4d93fe4a428c40a6ce0c25d"),
                Content::Tar { strip: 0 },
            ),
        ],
        layout: Layout::AsUnpacked,
        train_source: None,
        evaluate: "--data folder-c --corruptions all --baseline imagenet-alexnet",
    },
];
