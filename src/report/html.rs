//! One self-contained HTML page: headings, paragraphs, tables and drawings, nothing from elsewhere.

use std::fmt::Write;

use super::table::Table;

const STYLE: &str = "\
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1100px; margin: 2em auto; padding: 0 1em }
h1, h2, h3 { line-height: 1.2; margin-top: 1.6em }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums }
th, td { padding: .25em .8em; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
th { border-bottom: 2px solid #999 }
td.n { text-align: right }
figure { margin: 1em 0 }
figure svg { max-width: 100%; height: auto }
figcaption, .note { color: #555; font-size: 13px }
code { background: #f3f3f3; padding: 0 .2em }
details { margin: 1em 0 }
.scroll { overflow-x: auto }
";

/// A page under construction.
pub struct HtmlPage {
    title: String,
    body: String,
}

impl HtmlPage {
    /// Creates a page with a title and nothing else.
    pub fn new(title: &str) -> Self {
        let mut page = Self { title: title.to_owned(), body: String::new() };
        page.heading(1, title);
        page
    }

    /// Adds a heading of level 1 to 6.
    pub fn heading(&mut self, level: u8, text: &str) {
        self.add(format_args!("<h{level}>{}</h{level}>\n", escape(text)));
    }

    /// Adds a paragraph.
    pub fn paragraph(&mut self, text: &str) {
        self.add(format_args!("<p>{}</p>\n", escape(text)));
    }

    /// Adds a note in small print.
    pub fn note(&mut self, text: &str) {
        self.add(format_args!("<p class=\"note\">{}</p>\n", escape(text)));
    }

    /// Adds an SVG drawing, such as that of `figure` or `curves`, with a caption.
    pub fn figure(&mut self, svg: &str, caption: &str) {
        // Within HTML a drawing needs no name of its namespace.
        let svg = svg.replace(" xmlns=\"http://www.w3.org/2000/svg\"", "");
        let caption = escape(caption);
        self.add(format_args!("<figure>{svg}<figcaption>{caption}</figcaption></figure>\n"));
    }

    /// Adds a table.
    pub fn table(&mut self, table: &Table) {
        self.add(format_args!("<div class=\"scroll\"><table>\n<tr>"));
        for column in table.columns() {
            self.add(format_args!("<th>{}</th>", escape(column)));
        }
        self.add(format_args!("</tr>\n"));
        for row in table.rows() {
            self.add(format_args!("<tr>"));
            for cell in row {
                let class = if cell.is_number() { " class=\"n\"" } else { "" };
                self.add(format_args!("<td{class}>{}</td>", escape(&cell.for_people())));
            }
            self.add(format_args!("</tr>\n"));
        }
        self.add(format_args!("</table></div>\n"));
    }

    /// Adds content that stays folded under a summary until it is opened.
    pub fn folded(&mut self, summary: &str, add: impl FnOnce(&mut Self)) {
        self.add(format_args!("<details><summary>{}</summary>\n", escape(summary)));
        add(self);
        self.add(format_args!("</details>\n"));
    }

    /// Adds preformatted text.
    pub fn verbatim(&mut self, text: &str) {
        self.add(format_args!("<pre>{}</pre>\n", escape(text)));
    }

    /// Returns the page as HTML.
    pub fn finish(self) -> String {
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta \
             name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
            escape(&self.title),
            self.body
        )
    }

    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing into a string does not fail.
        let _ = self.body.write_fmt(text);
    }
}

/// Escapes a text for HTML, within elements and within quotes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_stands_alone_and_shows_texts_as_they_are() {
        let mut page = HtmlPage::new("a <b> & \"c\"");
        page.paragraph("1 < 2");
        let mut table = Table::new(["<x>", "y"]);
        table.push(vec!["<script>alert('1')</script>".into(), 0.25.into()]);
        page.table(&table);
        page.folded("more", |page| page.verbatim("a\n<b>"));
        page.figure("<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>", "drawn & done");
        let text = page.finish();
        for part in [
            "<title>a &lt;b&gt; &amp; &quot;c&quot;</title>",
            "<p>1 &lt; 2</p>",
            "<th>&lt;x&gt;</th>",
            "<td>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;</td><td class=\"n\">0.25</td>",
            "<details><summary>more</summary>\n<pre>a\n&lt;b&gt;</pre>\n</details>",
            "<figure><svg></svg><figcaption>drawn &amp; done</figcaption></figure>",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("<script") && !text.contains("http"), "{text}");
    }
}
