//! `muster backup`: a copy beside a running server.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::people::{TOKEN, create, populate, serve, user};
use crate::program::Home;

#[test]
fn a_copy_is_a_database_with_everything_in_it() {
    let home = Home::new();
    populate(&home);
    let said = home.run("backup copy.db").done();
    assert!(said.starts_with("copied the database into copy.db, "), "{said}");
    let copy = "--database sqlite:copy.db";
    assert_eq!(home.run(&format!("export {copy}")).done(), home.run("export").done());
    assert_eq!(home.run(&format!("token list {copy}")).done(), home.run("token list").done());
    home.run(&format!("verify {copy}")).done();
    let server = home.serve(copy, &[]);
    assert_eq!(server.users(TOKEN), 200);
    create(&server, "Users", &user(9));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = home.path().join("copy.db").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_copy_made_while_the_server_writes_is_one_moment() {
    let home = Home::new();
    let server = serve(&home);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..).take_while(|_| !is_over.load(Ordering::Relaxed)).for_each(|n| {
                create(&server, "Users", &user(n));
            });
        });
        for n in 0..5 {
            home.run(&format!("backup copy{n}.db")).done();
            home.run(&format!("verify --database sqlite:copy{n}.db")).done();
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_database_of_postgresql_is_left_to_its_own_tools() {
    let refused = Home::new().run("backup copy.db --database postgres://u:p@nowhere.example/d").refused();
    assert!(refused.contains("pg_dump"), "{refused}");
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let home = Home::new();
    populate(&home);
    home.write("copy.db", "precious");
    assert!(home.run("backup copy.db").refused().contains("choose another name"));
    assert_eq!(std::fs::read_to_string(home.path().join("copy.db")).unwrap(), "precious");
    assert!(home.run("backup nowhere/copy.db").refused().contains("No such file"));
    assert!(
        home.run("backup new.db --database sqlite:typo.db")
            .refused()
            .contains("there is no database typo.db")
    );
}
