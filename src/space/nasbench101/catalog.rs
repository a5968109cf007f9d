//! All cells up to isomorphism, in the order of their hashes.

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::LazyLock;
use std::thread;
use std::{fs, io};

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use super::cell::{Cell101, MAX_EDGES, MAX_VERTICES};
use super::hash::CellHash;
use super::order::{label_rank, labels_in};
use crate::space::dag::{Graph, VertexOrder};
use crate::util::atomic_file::write_whole;
use crate::util::checksum::{body, hashed};

/// The number of cells up to isomorphism.
pub const CELL_COUNT: usize = 423_624;

const FILE: &str = "nasbench101-cells-1.bin";
const ENTRY: usize = 20;

/// Every cell up to isomorphism, as the benchmark's representative, by ascending hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    entries: Vec<(CellHash, Cell101)>,
}

impl Catalog {
    /// Loads the catalog from a folder of cached files; a missing or damaged file is enumerated and written
    /// again.
    ///
    /// If the file cannot be written, a warning is logged, and the next call enumerates again.
    pub fn load(cache: Option<&Path>) -> Self {
        let Some(folder) = cache else { return Self::enumerate() };
        if let Some(known) = fs::read(folder.join(FILE)).ok().and_then(|bytes| Self::decode(&bytes))
        {
            return known;
        }
        let all = Self::enumerate();
        if let Err(error) = all.write(folder) {
            let file = folder.join(FILE);
            tracing::warn!("cannot keep the list of cells in {}: {error}", file.display());
        }
        all
    }

    /// The catalog, enumerated at the first call.
    pub(super) fn shared() -> &'static Self {
        // Who asks may be one of several threads of a pool that all wait for the list: it is made on others.
        static ALL: LazyLock<Catalog> = LazyLock::new(|| {
            let own = || match ThreadPoolBuilder::new().build() {
                Ok(pool) => pool.install(Catalog::enumerate),
                Err(_) => Catalog::enumerate(),
            };
            let made = thread::scope(|scope| scope.spawn(own).join());
            made.unwrap_or_else(|panic| resume_unwind(panic))
        });
        &ALL
    }

    /// Enumerates all cells, on all threads.
    pub fn enumerate() -> Self {
        Self::up_to(MAX_VERTICES)
    }

    /// Enumerates the cells with at most `most_vertices` vertices.
    pub(crate) fn up_to(most_vertices: usize) -> Self {
        let cells = (2..=most_vertices).into_par_iter().flat_map(|vertices| {
            let edges = vertices * (vertices - 1) / 2;
            (0..1u32 << edges).into_par_iter().flat_map_iter(move |bits| labeled(bits, vertices))
        });
        let mut entries: Vec<_> = cells.map(|cell| (cell.hash(), cell)).collect();
        entries.par_sort_unstable();
        Self { entries }
    }

    /// The number of cells.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns true if there are no cells.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The cells with their hashes, by ascending hash.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (CellHash, Cell101)> + '_ {
        self.entries.iter().copied()
    }

    /// The cell at an index, in the order of hashes.
    pub(super) fn nth(&self, number: usize) -> Option<Cell101> {
        self.entries.get(number).map(|&(_, cell)| cell)
    }

    /// The cell with a hash.
    pub fn cell(&self, hash: CellHash) -> Option<Cell101> {
        let found = self.entries.binary_search_by_key(&hash, |&(hash, _)| hash);
        found.ok().map(|index| self.entries[index].1)
    }

    fn encode(&self) -> Vec<u8> {
        let body: Vec<u8> = self
            .entries
            .iter()
            .flat_map(|(hash, cell)| hash.0.into_iter().chain(cell.packed().to_le_bytes()))
            .collect();
        hashed(&body)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let body = body(bytes).filter(|body| body.len() == CELL_COUNT * ENTRY)?;
        let entry = |entry: &[u8]| {
            let (hash, packed) = entry.split_first_chunk::<16>()?;
            let packed = u32::from_le_bytes(packed.try_into().ok()?);
            Some((CellHash(*hash), Cell101::from_packed(packed)?))
        };
        Some(Self { entries: body.chunks_exact(ENTRY).map(entry).collect::<Option<_>>()? })
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        write_whole(&folder.join(FILE), &self.encode())
    }
}

/// The representative cells with the given adjacency bits: one for each class of labellings that the graph's
/// symmetries map to each other; none if an isomorphic graph has smaller bits.
fn labeled(adjacency: u32, vertices: usize) -> impl Iterator<Item = Cell101> {
    let symmetries = symmetries(adjacency, vertices);
    let interior = vertices - 2;
    let labellings = if symmetries.is_empty() { 0 } else { 3u32.pow(interior as u32) };
    (0..labellings).filter_map(move |index| {
        let digit = |place: usize| index / 3u32.pow(place as u32) % 3;
        let labels = (0..interior).fold(0, |bits, place| bits | digit(place) << (2 * place));
        let rank = label_rank(labels, vertices);
        let label = |vertex: usize| (labels >> (2 * (vertex - 1)) & 3) as usize;
        let is_least = symmetries
            .iter()
            .all(|order| rank <= label_rank(labels_in(order, vertices, label), vertices));
        is_least.then(|| Cell101::from_parts(adjacency, labels))
    })
}

/// The orders that map a graph to itself; empty if the graph is not a cell's, or if an order gives smaller
/// bits.
fn symmetries(adjacency: u32, vertices: usize) -> Vec<VertexOrder> {
    if adjacency.count_ones() > MAX_EDGES || !Graph::new(adjacency, vertices).is_full() {
        return Vec::new();
    }
    Graph::symmetries(adjacency, vertices)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashSet;
    use std::sync::OnceLock;
    use std::time::SystemTime;

    use super::super::Op101;
    use super::super::cell::EDGE_BITS;
    use super::*;
    use crate::accuracy::nasbench101::Nasbench101Table;
    use crate::network::{Nasbench101Settings, nasbench101};
    use crate::test_support::data_dir;

    /// All cells, enumerated once for all tests.
    pub(crate) fn all() -> &'static Catalog {
        static ALL: OnceLock<Catalog> = OnceLock::new();
        ALL.get_or_init(Catalog::enumerate)
    }

    /// Ying et al. 2019 publish the count for 7 vertices.
    #[test]
    fn counts_are_the_published_ones() {
        let mut counts = [0; MAX_VERTICES + 1];
        all().iter().for_each(|(_, cell)| counts[cell.vertices()] += 1);
        let cumulative: Vec<usize> = counts
            .iter()
            .scan(0, |sum, count| {
                *sum += count;
                Some(*sum)
            })
            .collect();
        assert_eq!(cumulative[2..], [1, 7, 91, 2_532, 64_542, CELL_COUNT]);
        assert!(all().entries.is_sorted_by(|a, b| a.0 < b.0), "hashes ascend and differ");
    }

    /// Hashes every labeled graph with up to 5 vertices: there are as many hashes as cells.
    #[test]
    fn brute_force_finds_the_same_cells() {
        let mut hashes = HashSet::new();
        for vertices in 2..=5 {
            for adjacency in 0..1u32 << (vertices * (vertices - 1) / 2) {
                for labeling in 0..3usize.pow(vertices - 2) {
                    let label = |place: u32| Op101::ALL[labeling / 3usize.pow(place) % 3];
                    let operations: Vec<Op101> = (0..vertices - 2).map(label).collect();
                    if let Ok(cell) = Cell101::pruned(adjacency, &operations) {
                        hashes.insert(cell.hash());
                    }
                }
            }
        }
        let small = Catalog::up_to(5);
        assert_eq!(small.len(), 2_532);
        assert_eq!(hashes, small.iter().map(|(hash, _)| hash).collect());
    }

    #[test]
    fn the_table_has_the_same_cells_in_the_same_order() {
        let Some(dir) = data_dir() else { return };
        let table = Nasbench101Table::open(&dir).unwrap();
        assert!(table.cells().iter().copied().eq(all().iter().map(|(_, cell)| cell)));
    }

    #[test]
    fn hashes_and_parameters_of_the_sample_are_the_benchmarks() {
        let Some(dir) = data_dir() else { return };
        let file = fs::File::open(dir.join("nasbench101/nb101_sample.csv")).unwrap();
        let mut rows = 0;
        for row in csv::Reader::from_reader(file).into_records() {
            let row = row.unwrap();
            let number = |column: usize| row[column].parse::<u64>().unwrap();
            let hash = CellHash::parse(&row[1]).unwrap();
            let (_, cell) = all().entries[number(0) as usize];
            assert_eq!(cell.hash(), hash);
            assert_eq!(all().cell(hash), Some(cell));
            assert_eq!(cell.vertices() as u64, number(2));
            assert_eq!(u64::from(cell.adjacency()), number(3));
            assert_eq!(u64::from(cell.packed() >> EDGE_BITS), number(4));
            let network = nasbench101(&cell, Nasbench101Settings::default()).unwrap();
            assert_eq!(network.parameters(), number(5), "{cell}");
            rows += 1;
        }
        assert_eq!(rows, 1_000);
    }

    #[test]
    fn the_cached_file_is_used_and_mended() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, file) = (dir.path().join("cache"), dir.path().join("cache").join(FILE));
        all().write(&folder).unwrap();
        let written = fs::read(&file).unwrap();
        assert_eq!(Catalog::decode(&written).as_ref(), Some(all()));
        let mut damaged = written.clone();
        damaged[1_000] ^= 1;
        for bad in [&damaged[..], &written[..written.len() - 1], b""] {
            assert_eq!(Catalog::decode(bad), None);
        }
        let modified = || fs::metadata(&file).unwrap().modified().unwrap();
        fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_modified(SystemTime::UNIX_EPOCH)
            .unwrap();
        assert_eq!(&Catalog::load(Some(&folder)), all());
        assert_eq!(modified(), SystemTime::UNIX_EPOCH);
        fs::write(&file, damaged).unwrap();
        assert_eq!(&Catalog::load(Some(&folder)), all());
        assert_eq!(fs::read(&file).unwrap(), written);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }
}
