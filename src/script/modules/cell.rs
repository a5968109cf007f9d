//! User-defined cells in the module `space`.

use rhai::{Array, Dynamic, EvalAltResult, Map, Module, NativeCallContext};

use super::part_value::ScriptPart;
use crate::script::native::{name_type, native};
use crate::script::options::{OptionReader, described, error_at_call};
use crate::space::cells::{Cell, CellSpace, Operations};

type Context<'a> = NativeCallContext<'a>;
type Fallible<T> = Result<T, Box<EvalAltResult>>;

pub(super) fn register_functions(module: &mut Module) {
    native! { module =>
        /// Cells of one's own as a part of a space: graphs of at most so many `vertices` (from 3 to 8, the first
        /// the input and the last the output) and `edges`, with one of the `operations` for each vertex between.
        ///
        /// Vertices that are on no path from the input to the output are left out, and cells that differ only
        /// in how their vertices are numbered are one point.
        ///
        /// ```rhai
        /// fn space() { #{
        ///     cnn: space::cell(#{ vertices: 5, edges: 6, operations: ["conv3x3", "conv1x1", "maxpool"] })
        /// } }
        /// ```
        fn cell(options: Map) -> SpacePart = |context: Context, options: Map| {
            let space = space(&context, options)?;
            Ok::<_, Box<EvalAltResult>>(ScriptPart::new(space, |space, options| {
                space.cell(options).map(Dynamic::from).map_err(|illegal| illegal.to_string())
            }))
        };
    }
}

fn space(context: &NativeCallContext, options: Map) -> Fallible<CellSpace> {
    let mut options = OptionReader::new(context, "space::cell", options);
    let missing =
        |name: &str| error_at_call(context, format!("space::cell needs the option `{name}`"));
    let vertices = options.whole("vertices", 3)?.ok_or_else(|| missing("vertices"))?;
    let edges = options.whole("edges", 1)?.ok_or_else(|| missing("edges"))?;
    let names = options.take("operations").ok_or_else(|| missing("operations"))?;
    options.end()?;
    let text = |name: Dynamic| {
        let given = described(context, &name);
        name.into_string().map_err(|_| {
            error_at_call(context, format!("space::cell takes names of operations, not {given}"))
        })
    };
    let given = described(context, &names);
    let names = names.into_array().map_err(|_| {
        error_at_call(
            context,
            format!("option `operations` of space::cell is {given}; it takes an array"),
        )
    })?;
    let names = names.into_iter().map(text).collect::<Fallible<Vec<String>>>()?;
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let edges = u32::try_from(edges).unwrap_or(u32::MAX);
    Operations::new(names)
        .and_then(|operations| CellSpace::new(whole(vertices), edges, operations))
        .map_err(|error| error_at_call(context, error.to_string()))
}

pub(super) fn register_type(globals: &mut Module) {
    let int = |number: usize| Dynamic::from(number as i64);
    let ints = move |numbers: &mut dyn Iterator<Item = usize>| numbers.map(int).collect::<Array>();
    name_type::<Cell>(
        globals,
        "Cell",
        "A cell of one's own: a graph with an operation for each vertex.",
    );
    native! { globals =>
        /// The text of the cell, as results show it: each vertex from the second with those that it reads.
        ///
        /// ```rhai
        /// fn space() { #{ cnn: space::cell(#{ vertices: 4, edges: 4, operations: ["conv", "pool"] }) } }
        /// fn evaluate(point) { #{ layers: point.cnn.to_string().split(" ").len() } }
        /// ```
        fn to_string(cell: Cell) -> String = |cell: &mut Cell| cell.to_string();
        /// Whether two cells are the same, however their vertices were numbered.
        op ==(a: Cell, b: Cell) -> bool = |a: Cell, b: Cell| a == b;
        /// The number of vertices, the input and the output included.
        get vertices(cell: Cell) -> int = |cell: &mut Cell| cell.vertices() as i64;
        /// The operations of the vertices between the input and the output: vertex `v` has
        /// `operations[v - 1]`.
        get operations(cell: Cell) -> Array = |cell: &mut Cell| {
            cell.operations().map(|name| name.to_owned().into()).collect::<Array>()
        };
        /// The edges as arrays `[from, to]`, by ascending `to`, then `from`.
        get edges(cell: Cell) -> Array = move |cell: &mut Cell| {
            let edge = |(from, to)| Dynamic::from(ints(&mut [from, to].into_iter()));
            cell.edges().map(edge).collect::<Array>()
        };
        /// The operation of a vertex between the input and the output; another vertex is an error.
        ///
        /// ```rhai
        /// fn space() { #{ cnn: space::cell(#{ vertices: 4, edges: 4, operations: ["conv", "pool"] }) } }
        ///
        /// fn evaluate(point) {
        ///     let convolutions = 0;
        ///     for vertex in 1..point.cnn.vertices - 1 {
        ///         if point.cnn.operation(vertex) == "conv" { convolutions += 1; }
        ///     }
        ///     #{ convolutions: convolutions }
        /// }
        /// ```
        fn operation(cell: Cell, vertex: int) -> String =
            |context: Context, cell: &mut Cell, vertex: i64| -> Fallible<String> {
                let inner = vertex_of(&context, cell, vertex, 1, cell.vertices() - 2)?;
                Ok(cell.operations().nth(inner - 1).unwrap_or_default().to_owned())
            };
        /// The vertices that a vertex reads, ascending.
        ///
        /// ```rhai
        /// fn space() { #{ cnn: space::cell(#{ vertices: 4, edges: 4, operations: ["conv", "pool"] }) } }
        /// fn evaluate(point) { #{ branches: point.cnn.inputs(point.cnn.vertices - 1).len() } }
        /// ```
        fn inputs(cell: Cell, vertex: int) -> Array =
            move |context: Context, cell: &mut Cell, vertex: i64| -> Fallible<Array> {
                let vertex = vertex_of(&context, cell, vertex, 0, cell.vertices() - 1)?;
                Ok(ints(&mut cell.inputs(vertex)))
            };
    }
}

fn vertex_of(
    context: &NativeCallContext,
    cell: &Cell,
    vertex: i64,
    first: usize,
    last: usize,
) -> Fallible<usize> {
    let found = usize::try_from(vertex).ok().filter(|vertex| (first..=last).contains(vertex));
    found.ok_or_else(|| {
        let what = if first == 0 { "vertices" } else { "vertices with an operation" };
        error_at_call(
            context,
            format!(
                "there is no vertex {vertex} here; {what} of `{cell}` go from {first} to {last}"
            ),
        )
    })
}
