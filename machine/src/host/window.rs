//! The screen in a window of the host's desktop, through winit and softbuffer.
//!
//! Desktops want windows to be looked after by the first thread (macOS insists), so the machine runs on another one.
//! A thread waits for pictures and wakes the first one, which draws what has changed. A click gives keyboard and mouse
//! to the guest; the title says how to get the mouse back.

mod keys;
mod pointer;
mod view;

use std::num::NonZeroU32;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rax_devices::Frame;
use softbuffer::{Context, Rect, Surface};
use winit::application::ApplicationHandler;
use winit::dpi::{PhysicalPosition, PhysicalSize};
use winit::event::{DeviceEvent, DeviceId, ElementState, KeyEvent as Pressed, WindowEvent};
use winit::event_loop::{ActiveEventLoop, EventLoop, EventLoopProxy, OwnedDisplayHandle};
use winit::keyboard::PhysicalKey;
use winit::window::{CursorGrabMode, Fullscreen, Window, WindowId};

use super::display::Watching;
use super::{Gesture, HostError, Inbox, Quit, Screen};
use crate::keys::KeyEvent;
use keys::{Keyboard, Stroke};
use pointer::Pointer;
use view::View;

/// The least time between two drawings.
const PAUSE: Duration = Duration::from_millis(15);
/// The stack of the machine's thread: what a first thread has.
const STACK_BYTES: usize = 8 << 20;
/// Frames of fewer pixels in a line are shown at twice their size.
const NARROW: usize = 400;

const TITLE: &str = "rax";
const TITLE_FREE: &str = "rax - click to give the mouse to the guest";
const TITLE_CAPTURED: &str = "rax - Ctrl-Alt-G releases the mouse";

/// What the thread that waits for pictures has to say.
#[derive(Clone, Copy, Debug)]
enum News {
    Picture,
    Over,
}

/// A window that is to be opened.
pub struct WindowDisplay {
    events: EventLoop<News>,
    desk: Desk,
}

/// What is in the window, and who sits before it.
struct Desk {
    screen: Screen,
    inbox: Inbox,
    _watching: Watching,
    display: Context<OwnedDisplayHandle>,
    window: Option<Pane>,
    keyboard: Keyboard,
    pointer: Pointer,
    hold: Hold,
}

/// Who has the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// The desktop.
    Desktop,
    /// The guest; its cursor stays where it is.
    Locked,
    /// The guest; its cursor is put back to the middle of the window, where a desktop cannot lock it. (A window that
    /// holds the cursor in its bounds hears each movement twice under X11.)
    Recentred,
}

/// The window, once there is one.
struct Pane {
    window: Rc<Window>,
    surface: Surface<OwnedDisplayHandle, Rc<Window>>,
    view: View,
    /// The size of the frame that the window was made to fit, and the size it was given.
    fitted: Option<((usize, usize), PhysicalSize<u32>)>,
    /// Somebody has given it another size since.
    is_by_hand: bool,
}

impl WindowDisplay {
    /// Finds the desktop. Must be called on the process's first thread.
    ///
    /// # Errors
    /// When there is none, or it lacks something.
    pub fn open(screen: &Screen, inbox: &Inbox) -> Result<Self, HostError> {
        let no_window = |reason: String| HostError::NoWindow { reason };
        let events = quietly(|| EventLoop::<News>::with_user_event().build())
            .map_err(no_window)?
            .map_err(|error| no_window(plain(&error.to_string())))?;
        let display = Context::new(events.owned_display_handle())
            .map_err(|error| no_window(error.to_string()))?;
        let (theirs, proxy) = (screen.clone(), events.create_proxy());
        thread::Builder::new()
            .name("window".into())
            .spawn(move || relay(&theirs, &proxy))
            .map_err(|source| HostError::Thread { source })?;
        let desk = Desk {
            screen: screen.clone(),
            inbox: inbox.clone(),
            _watching: screen.watch(),
            display,
            window: None,
            keyboard: Keyboard::default(),
            pointer: Pointer::default(),
            hold: Hold::Desktop,
        };
        Ok(Self { events, desk })
    }

    /// Shows the screen while `run` runs the machine on another thread. If the window cannot be shown any more, the
    /// inbox is told.
    ///
    /// # Errors
    /// When the host refuses another thread.
    pub fn show<T: Send>(self, run: impl FnOnce() -> T + Send) -> Result<T, HostError> {
        let Self { events, mut desk } = self;
        let over = Closing(desk.screen.clone());
        let run = move || {
            let _over = over;
            run()
        };
        thread::scope(|scope| {
            let machine = thread::Builder::new()
                .name("machine".into())
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, run)
                .map_err(|source| HostError::Thread { source })?;
            if let Err(error) = events.run_app(&mut desk) {
                desk.fail(error.to_string());
            }
            // Its window is gone before anything is said.
            drop(desk);
            machine.join().or_else(|panic| panic::resume_unwind(panic))
        })
    }
}

/// The run is over when this is dropped, be it by a panic.
struct Closing(Screen);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Tells the event loop of each picture, and of the end.
fn relay(screen: &Screen, proxy: &EventLoopProxy<News>) {
    let mut seen = 0;
    while let Some((_, number)) = screen.next(seen, PAUSE) {
        seen = number;
        if proxy.send_event(News::Picture).is_err() {
            return;
        }
    }
    // If nobody listens, the window is gone already.
    let _ = proxy.send_event(News::Over);
}

/// Does something that panics where a desktop's library is missing, and says why in that case.
fn quietly<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    let report = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = panic::catch_unwind(AssertUnwindSafe(act));
    panic::set_hook(report);
    result.map_err(|why| {
        let text = why.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| why.downcast_ref::<&str>().copied());
        text.unwrap_or("the desktop lacks something").to_owned()
    })
}

/// The reason without the place in winit's source code before it.
fn plain(reason: &str) -> String {
    let reason = reason
        .split_once(".rs:")
        .and_then(|(_, rest)| rest.split_once(": "))
        .map_or(reason, |(_, reason)| reason);
    reason.trim_end_matches('.').to_owned()
}

impl Desk {
    /// The host failed us.
    fn fail(&self, reason: String) {
        self.inbox.report_failure(HostError::WindowLost { reason });
    }

    fn send(&self, gestures: &[Gesture]) {
        if !gestures.is_empty() {
            self.inbox.push_gestures(gestures);
        }
    }

    /// A frame that can be shown.
    fn frame(&self) -> Arc<Frame> {
        self.screen.latest().visible()
    }

    /// A key goes down or up: ours, or the guest's.
    fn press(&mut self, key: &Pressed) {
        let PhysicalKey::Code(code) = key.physical_key else {
            return;
        };
        let is_down = key.state == ElementState::Pressed;
        match self.keyboard.press(code, is_down) {
            Some(Stroke::Key(event)) => self.send(&[Gesture::Key(event)]),
            Some(Stroke::Mouse) => self.capture(self.hold == Hold::Desktop),
            Some(Stroke::Screenshot) => self.inbox.request_screenshot(),
            Some(Stroke::FullScreen) => self.toggle_full_screen(),
            Some(Stroke::Restart) => {
                let keys = crate::keys::strokes_of_name("ctrl-alt-del").unwrap_or_default();
                self.send(&keys.into_iter().map(Gesture::Key).collect::<Vec<_>>());
            }
            None => {}
        }
    }

    /// Gives the mouse to the guest, or takes it back.
    fn capture(&mut self, wanted: bool) {
        let Some(Pane { window, .. }) = &self.window else {
            return;
        };
        self.hold = if !wanted {
            // It may have been lost already.
            let _ = window.set_cursor_grab(CursorGrabMode::None);
            Hold::Desktop
        } else if window.set_cursor_grab(CursorGrabMode::Locked).is_ok() {
            Hold::Locked
        } else if let Err(error) = window.set_cursor_position(middle(window)) {
            log::debug!("the mouse cannot be captured: {error}");
            Hold::Desktop
        } else {
            Hold::Recentred
        };
        let is_free = self.hold == Hold::Desktop;
        window.set_cursor_visible(is_free);
        window.set_title(if is_free { TITLE_FREE } else { TITLE_CAPTURED });
    }

    /// Keeps the cursor in the window, if nothing else does.
    fn recentre(&self, position: PhysicalPosition<f64>) {
        let Some(Pane { window, .. }) = &self.window else {
            return;
        };
        let middle = middle(window);
        let is_far = |at: f64, middle: f64| (at - middle).abs() > middle / 2.0;
        if self.hold == Hold::Recentred
            && (is_far(position.x, middle.x) || is_far(position.y, middle.y))
        {
            // It has worked before.
            let _ = window.set_cursor_position(middle);
        }
    }

    fn toggle_full_screen(&self) {
        if let Some(Pane { window, .. }) = &self.window {
            let is_full = window.fullscreen().is_some();
            window.set_fullscreen((!is_full).then_some(Fullscreen::Borderless(None)));
        }
    }

    /// Nobody holds keys and buttons any more.
    fn let_go(&mut self) {
        let ups: Vec<_> = self.keyboard.let_go().map(KeyEvent::up).collect();
        self.send(&ups.into_iter().map(Gesture::Key).collect::<Vec<_>>());
        let released = self.pointer.let_go();
        self.send(released.as_slice());
    }

    fn open_window(&self, events: &ActiveEventLoop) -> Result<Pane, String> {
        let frame = self.frame();
        let attributes = Window::default_attributes()
            .with_title(TITLE)
            .with_inner_size(size_for(&frame, 1.0));
        let window = events
            .create_window(attributes)
            .map_err(|error| plain(&error.to_string()))?;
        window.set_title(TITLE_FREE);
        let window = Rc::new(window);
        let surface =
            Surface::new(&self.display, Rc::clone(&window)).map_err(|error| error.to_string())?;
        Ok(Pane {
            window,
            surface,
            view: View::default(),
            fitted: None,
            is_by_hand: false,
        })
    }

    fn draw(&mut self) {
        let frame = self.frame();
        if let Some(pane) = &mut self.window
            && let Err(error) = pane.draw(frame)
        {
            let reason = error.to_string();
            self.fail(reason);
        }
    }
}

/// The middle of a window.
fn middle(window: &Window) -> PhysicalPosition<f64> {
    let PhysicalSize { width, height } = window.inner_size();
    PhysicalPosition::new(f64::from(width / 2), f64::from(height / 2))
}

/// The size of a window that shows a frame as it is, or magnified on a dense or empty screen.
fn size_for(frame: &Frame, scale_factor: f64) -> PhysicalSize<u32> {
    let narrow = if frame.width < NARROW { 2 } else { 1 };
    let zoom = (scale_factor.round() as u32).max(1) * narrow;
    PhysicalSize::new(frame.width as u32 * zoom, frame.height as u32 * zoom)
}

impl Pane {
    /// Follows the frame's size, unless the window was given another size by hand.
    fn fit(&mut self, frame: &Frame) {
        let size = (frame.width, frame.height);
        let is_fitted = self.fitted.is_some_and(|(fitted, _)| fitted == size);
        if is_fitted || self.is_by_hand || self.window.fullscreen().is_some() {
            return;
        }
        let wanted = size_for(frame, self.window.scale_factor());
        let given = self.window.request_inner_size(wanted).unwrap_or(wanted);
        self.fitted = Some((size, given));
    }

    fn draw(&mut self, frame: Arc<Frame>) -> Result<(), softbuffer::SoftBufferError> {
        let PhysicalSize { width, height } = self.window.inner_size();
        let (Some(columns), Some(rows)) = (NonZeroU32::new(width), NonZeroU32::new(height)) else {
            return Ok(()); // It is minimized.
        };
        self.surface.resize(columns, rows)?;
        let mut buffer = self.surface.buffer_mut()?;
        let keeps = buffer.age() == 1;
        let size = (width as usize, height as usize);
        let Some(lines) = self.view.draw(frame, size, keeps, &mut buffer) else {
            return Ok(());
        };
        let top = lines.start as u32;
        let (Some(height), y) = (NonZeroU32::new(lines.len() as u32), top) else {
            return Ok(());
        };
        let damage = Rect {
            x: 0,
            y,
            width: columns,
            height,
        };
        self.window.pre_present_notify();
        buffer.present_with_damage(&[damage])
    }
}

impl ApplicationHandler<News> for Desk {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        if self.window.is_none() {
            match self.open_window(events) {
                Ok(pane) => self.window = Some(pane),
                Err(reason) => {
                    self.inbox.report_failure(HostError::NoWindow { reason });
                    events.exit();
                }
            }
            // Who has seen nothing yet is woken by the first picture.
            self.inbox.wake();
        }
    }

    fn user_event(&mut self, events: &ActiveEventLoop, news: News) {
        match news {
            News::Picture => {
                let frame = self.frame();
                if let Some(pane) = &mut self.window {
                    pane.fit(&frame);
                    pane.window.request_redraw();
                }
            }
            News::Over => events.exit(),
        }
    }

    fn window_event(&mut self, _events: &ActiveEventLoop, _window: WindowId, event: WindowEvent) {
        match event {
            WindowEvent::RedrawRequested => self.draw(),
            WindowEvent::Resized(size) => {
                if let Some(pane) = &mut self.window {
                    pane.is_by_hand = pane.fitted.is_some_and(|(_, given)| given != size);
                    pane.view.forget();
                    pane.window.request_redraw();
                }
            }
            WindowEvent::CloseRequested => self.inbox.request_quit(Quit::Window),
            WindowEvent::KeyboardInput {
                event,
                is_synthetic,
                ..
            } if !(event.repeat || is_synthetic && event.state.is_pressed()) => self.press(&event),
            WindowEvent::MouseInput {
                state: ElementState::Pressed,
                ..
            } if self.hold == Hold::Desktop => self.capture(true),
            WindowEvent::MouseInput { state, button, .. } => {
                let clicked = self.pointer.click(button, state.is_pressed());
                self.send(clicked.as_slice());
            }
            WindowEvent::MouseWheel { delta, .. } if self.hold != Hold::Desktop => {
                self.pointer.turn(delta);
            }
            WindowEvent::CursorMoved { position, .. } => self.recentre(position),
            WindowEvent::Focused(false) => {
                self.let_go();
                self.capture(false);
            }
            _ => {}
        }
    }

    fn device_event(&mut self, _events: &ActiveEventLoop, _device: DeviceId, event: DeviceEvent) {
        if let DeviceEvent::MouseMotion { delta } = event
            && self.hold != Hold::Desktop
        {
            self.pointer.move_by(delta);
        }
    }

    fn about_to_wait(&mut self, _events: &ActiveEventLoop) {
        // A thousand small movements a second are told together.
        let moved = self.pointer.take_movement();
        self.send(moved.as_slice());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_as_large_as_what_it_shows() {
        let size = |width, height, scale| {
            let frame = Frame {
                width,
                height,
                pixels: Vec::new(),
            };
            let PhysicalSize { width, height } = size_for(&frame, scale);
            (width, height)
        };
        assert_eq!(size(720, 400, 1.0), (720, 400));
        assert_eq!(size(720, 400, 1.75), (1440, 800));
        assert_eq!(size(320, 200, 1.0), (640, 400));
    }

    #[test]
    fn reasons_are_told_without_source_lines() {
        let reason = "os error at /a/b/mod.rs:757: neither A nor B is set.";
        assert_eq!(plain(reason), "neither A nor B is set");
        assert_eq!(plain("no"), "no");
        let panicked: Result<(), String> = quietly(|| panic!("no {}", "library"));
        assert_eq!(panicked, Err("no library".into()));
    }
}
