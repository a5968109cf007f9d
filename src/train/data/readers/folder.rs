//! A folder of images: `train/CLASS/IMAGE` and `test/CLASS/IMAGE`, PNG or JPEG, all of one size.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use image::ImageReader;

use super::super::error::DataError;
use super::super::image_set::{ImageFamily, ImageSet};
use super::super::set::{Dataset, Images};
use crate::network::Shape;

/// The prefix of these sets' names, before the name of the folder.
const PREFIX: &str = "images/";

/// All folders of images in the data folder.
pub struct Folders;

impl ImageFamily for Folders {
    fn names(&self) -> Vec<String> {
        vec![format!("{PREFIX}FOLDER")]
    }

    fn named(&self, name: &str) -> Result<Option<Arc<dyn ImageSet>>, DataError> {
        let Some(folder) = name.strip_prefix(PREFIX) else { return Ok(None) };
        let mut parts = Path::new(folder).components();
        match (parts.next(), parts.next()) {
            (Some(Component::Normal(_)), None) => Ok(Some(Arc::new(Folder::new(folder)))),
            _ => Err(DataError::Outside { name: folder.to_owned() }),
        }
    }

    fn sets(&self, data: &Path) -> Vec<Arc<dyn ImageSet>> {
        let mut folders: Vec<String> = fs::read_dir(data)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| ["train", "test"].iter().all(|part| entry.path().join(part).is_dir()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.'))
            .collect();
        folders.sort();
        folders.iter().map(|name| Arc::new(Folder::new(name)) as Arc<dyn ImageSet>).collect()
    }
}

/// A folder of images in the data folder.
#[derive(Debug)]
struct Folder {
    name: String,
    folder: String,
}

impl Folder {
    fn new(folder: &str) -> Self {
        Self { name: format!("{PREFIX}{folder}"), folder: folder.to_owned() }
    }
}

impl ImageSet for Folder {
    fn name(&self) -> &str {
        &self.name
    }

    fn places(&self, data: &Path) -> Vec<PathBuf> {
        vec![data.join(&self.folder)]
    }

    fn read(&self, folder: &Path) -> Result<Dataset, DataError> {
        read(&self.name, folder)
    }

    fn advice(&self) -> String {
        "it holds train/CLASS/IMAGE and test/CLASS/IMAGE; `--data` names another folder of data"
            .to_owned()
    }
}

/// Reads the set from a folder. Classes are numbered in the order of their names; images become red, green
/// and blue.
///
/// Fails if a folder is missing, if a file is not an image or differs in size, or if test and training
/// classes differ.
fn read(name: &str, folder: &Path) -> Result<Dataset, DataError> {
    let classes = entries(&folder.join("train"), Path::is_dir)?;
    if classes.len() < 2 || classes.len() > usize::from(u16::MAX) {
        let what =
            format!("it has {} folders of classes; there must be two or more", classes.len());
        return Err(DataError::wrong(folder.join("train"), what));
    }
    let mut shape = None;
    let mut read = |part: &str| -> Result<Images, DataError> {
        let mut images = Images::default();
        for (label, class) in classes.iter().enumerate() {
            let class = folder.join(part).join(class.file_name().unwrap_or_default());
            for file in entries(&class, Path::is_file)? {
                let (size, pixels) = decode(&file)?;
                let expected = *shape.get_or_insert(size);
                if size != expected {
                    let what = format!("it is {size}, the images before it are {expected}");
                    return Err(DataError::wrong(file, what));
                }
                images.pixels.extend(pixels);
                images.labels.push(label as u16);
            }
        }
        Ok(images)
    };
    let (train, test) = (read("train")?, read("test")?);
    let unknown = entries(&folder.join("test"), Path::is_dir)?
        .into_iter()
        .find(|class| !folder.join("train").join(class.file_name().unwrap_or_default()).is_dir());
    if let Some(unknown) = unknown {
        return Err(DataError::wrong(unknown, "there are no training images of this class"));
    }
    let shape = shape.ok_or_else(|| DataError::wrong(folder, "it has no images"))?;
    Dataset::new(name, folder, shape, classes.len(), train, test)
}

/// The entries of a folder that satisfy `wanted`, sorted by name, without names that begin with a dot.
fn entries(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, DataError> {
    let failed = |source| DataError::read(folder, source);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let path = entry.path();
        if !hidden && wanted(&path) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn decode(file: &Path) -> Result<(Shape, Vec<u8>), DataError> {
    let read = |source| DataError::read(file, source);
    let reader = ImageReader::open(file).map_err(read)?.with_guessed_format().map_err(read)?;
    let image = reader.decode().map_err(|error| DataError::wrong(file, error.to_string()))?;
    let image = image.into_rgb8();
    let shape = Shape::new(3, image.height() as usize, image.width() as usize);
    Ok((shape, image.into_raw()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Path, path: &str, size: (u32, u32), shade: u8) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut image = image::RgbImage::from_pixel(size.0, size.1, image::Rgb([shade, 1, 2]));
        image.put_pixel(0, 0, image::Rgb([9, 8, 7]));
        image.save(path).unwrap();
    }

    #[test]
    fn classes_are_folders_and_images_of_one_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        put(path, "train/dog/b.png", (4, 3), 20);
        put(path, "train/cat/a.png", (4, 3), 10);
        put(path, "train/cat/c.png", (4, 3), 30);
        put(path, "test/cat/x.png", (4, 3), 40);
        put(path, "test/dog/y.png", (4, 3), 50);
        let set = read("images/pets", path).unwrap();
        assert_eq!((set.shape(), set.classes()), (Shape::new(3, 3, 4), 2));
        assert_eq!(set.train().labels, [0, 0, 1]);
        assert_eq!(set.train().pixels[..6], [9, 8, 7, 10, 1, 2]);

        let message = || {
            let error = read("images/pets", path).unwrap_err().to_string();
            error.replace(&path.display().to_string(), "DATA")
        };
        put(path, "test/dog/z.png", (4, 4), 50);
        insta::assert_snapshot!(message(), @"DATA/test/dog/z.png: it is 3x4x4, the images before it are 3x3x4");
        fs::write(path.join("test/dog/z.png"), "no image").unwrap();
        insta::assert_snapshot!(message(), @"DATA/test/dog/z.png: Format error decoding Png: Invalid PNG signature.");
        fs::remove_file(path.join("test/dog/z.png")).unwrap();
        put(path, "test/eel/z.png", (4, 3), 50);
        insta::assert_snapshot!(message(), @"DATA/test/eel: there are no training images of this class");
        fs::remove_dir_all(path.join("test")).unwrap();
        assert!(message().starts_with("cannot read DATA/test/cat: "));
    }
}
