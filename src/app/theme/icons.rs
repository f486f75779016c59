//! The window's icons, drawn from lines so that they need no font, follow the text's colour and stay sharp at
//! every scale.

use egui::epaint::{PathShape, PathStroke};
use egui::{
    Atom, Color32, Painter, Pos2, Rect, Role, Sense, Shape, Stroke, Ui, Vec2, WidgetInfo, pos2, vec2,
};

/// Side of an icon beside text, points.
pub const SIZE: f32 = 13.0;

/// An icon of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Play,
    Pause,
    Step,
    Stop,
    Bin,
    Save,
    Chart,
    Export,
    Enlarge,
    Sun,
    Moon,
    Check,
    Cross,
    Warning,
    Right,
    Down,
    Star,
    StarFilled,
}

/// The icon as a part of a button, in `colour` or in the button's own.
pub fn atom(icon: Icon, colour: Option<Color32>) -> Atom<'static> {
    Atom::paint(Vec2::splat(SIZE), move |ui, args| {
        paint(ui.painter(), args.rect, icon, colour.unwrap_or(args.fallback_text_color));
    })
}

/// The icon in a row of text. `meaning` is what a screen reader says.
pub fn show(ui: &mut Ui, icon: Icon, colour: Color32, meaning: &str) -> egui::Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(SIZE), Sense::hover());
    paint(ui.painter(), rect, icon, colour);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, meaning));
    response
}

fn paint(painter: &Painter, rect: Rect, icon: Icon, colour: Color32) {
    let square = Rect::from_center_size(rect.center(), Vec2::splat(rect.width().min(rect.height())));
    // Icons are drawn on a grid of 0..16 in both directions.
    let at = |x: f32, y: f32| square.min + vec2(x, y) * (square.width() / 16.0);
    let thin = Stroke::new(1.5, colour);
    let fill = |points: &[(f32, f32)]| {
        let points: Vec<Pos2> = points.iter().map(|&(x, y)| at(x, y)).collect();
        painter.add(Shape::convex_polygon(points, colour, Stroke::NONE));
    };
    let line = |points: &[(f32, f32)]| {
        let points: Vec<Pos2> = points.iter().map(|&(x, y)| at(x, y)).collect();
        painter.add(Shape::line(points, thin));
    };
    let outline = |points: &[(f32, f32)]| {
        let points: Vec<Pos2> = points.iter().map(|&(x, y)| at(x, y)).collect();
        painter.add(PathShape::closed_line(points, PathStroke::new(1.5, colour)));
    };
    let block = |x: f32, y: f32, width: f32, height: f32| {
        painter.rect_filled(Rect::from_min_max(at(x, y), at(x + width, y + height)), 1.0, colour);
    };
    match icon {
        Icon::Play => fill(&[(4.0, 2.0), (14.0, 8.0), (4.0, 14.0)]),
        Icon::Pause => {
            block(3.5, 2.5, 3.5, 11.0);
            block(9.0, 2.5, 3.5, 11.0);
        }
        Icon::Step => {
            fill(&[(2.5, 2.5), (10.5, 8.0), (2.5, 13.5)]);
            block(11.0, 2.5, 2.5, 11.0);
        }
        Icon::Stop => block(3.0, 3.0, 10.0, 10.0),
        Icon::Bin => {
            line(&[(2.0, 4.0), (14.0, 4.0)]);
            line(&[(6.0, 4.0), (6.5, 2.0), (9.5, 2.0), (10.0, 4.0)]);
            line(&[(3.5, 4.0), (4.3, 14.0), (11.7, 14.0), (12.5, 4.0)]);
        }
        Icon::Save => {
            outline(&[(2.0, 2.0), (11.5, 2.0), (14.0, 4.5), (14.0, 14.0), (2.0, 14.0)]);
            line(&[(5.0, 2.5), (5.0, 6.0), (10.0, 6.0), (10.0, 2.5)]);
            block(5.0, 9.5, 6.0, 4.0);
        }
        Icon::Chart => {
            block(2.5, 8.5, 2.6, 5.5);
            block(6.7, 2.5, 2.6, 11.5);
            block(10.9, 5.5, 2.6, 8.5);
        }
        Icon::Export => {
            line(&[(8.0, 2.0), (8.0, 10.0)]);
            line(&[(4.5, 6.5), (8.0, 10.0), (11.5, 6.5)]);
            line(&[(2.5, 10.5), (2.5, 14.0), (13.5, 14.0), (13.5, 10.5)]);
        }
        Icon::Enlarge => {
            line(&[(9.5, 2.5), (13.5, 2.5), (13.5, 6.5)]);
            line(&[(13.5, 2.5), (9.5, 6.5)]);
            line(&[(6.5, 13.5), (2.5, 13.5), (2.5, 9.5)]);
            line(&[(2.5, 13.5), (6.5, 9.5)]);
        }
        Icon::Sun => {
            painter.circle_filled(at(8.0, 8.0), square.width() * 0.2, colour);
            for ray in 0..8 {
                let way = Vec2::angled(ray as f32 * std::f32::consts::TAU / 8.0) * square.width();
                let middle = at(8.0, 8.0);
                painter.line_segment([middle + way * 0.31, middle + way * 0.46], thin);
            }
        }
        Icon::Moon => painter.extend(moon(at(8.0, 8.0), square.width() * 0.42, colour)),
        Icon::Check => line(&[(2.5, 8.5), (6.5, 12.5), (13.5, 4.0)]),
        Icon::Cross => {
            line(&[(3.5, 3.5), (12.5, 12.5)]);
            line(&[(12.5, 3.5), (3.5, 12.5)]);
        }
        Icon::Warning => {
            outline(&[(8.0, 2.0), (14.5, 13.5), (1.5, 13.5)]);
            line(&[(8.0, 6.0), (8.0, 9.6)]);
            painter.circle_filled(at(8.0, 11.6), 0.9, colour);
        }
        Icon::Right => fill(&[(5.5, 3.5), (11.0, 8.0), (5.5, 12.5)]),
        Icon::Star => {
            let points = star().map(|(x, y)| at(x, y));
            painter.add(PathShape::closed_line(points.to_vec(), PathStroke::new(1.3, colour)));
        }
        Icon::StarFilled => {
            // Not convex: a triangle from the middle to each side.
            let points = star();
            for (n, side) in points.iter().enumerate() {
                fill(&[(8.0, 8.4), *side, points[(n + 1) % points.len()]]);
            }
        }
        Icon::Down => fill(&[(3.5, 5.5), (12.5, 5.5), (8.0, 11.0)]),
    }
}

/// The corners of a star of five rays, on the grid of icons.
fn star() -> [(f32, f32); 10] {
    std::array::from_fn(|corner| {
        let radius = if corner % 2 == 0 { 6.8 } else { 2.9 };
        let way = Vec2::angled(corner as f32 * std::f32::consts::PI / 5.0 - std::f32::consts::FRAC_PI_2);
        (8.0 + radius * way.x, 8.4 + radius * way.y)
    })
}

/// A crescent as strips between two circles: it is not convex, so no single polygon will do.
fn moon(centre: Pos2, radius: f32, colour: Color32) -> Vec<Shape> {
    const STRIPS: usize = 12;
    let edge = |n: usize| {
        let y = radius * (2.0 * n as f32 / STRIPS as f32 - 1.0);
        let outer = (radius * radius - y * y).max(0.0).sqrt();
        let (dx, dy) = (0.5 * radius, y + 0.25 * radius);
        let inner = dx - (0.72 * radius * radius - dy * dy).max(0.0).sqrt();
        (centre.y + y, centre.x - outer, centre.x + inner.clamp(-outer, outer))
    };
    let strip = |n: usize| {
        let ((top, a, b), (bottom, c, d)) = (edge(n), edge(n + 1));
        let corners = vec![pos2(a, top), pos2(b, top), pos2(d, bottom), pos2(c, bottom)];
        Shape::convex_polygon(corners, colour, Stroke::NONE)
    };
    (0..STRIPS).map(strip).collect()
}
