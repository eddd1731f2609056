//! The transport contract: the same promises on every transport. The test path names the transport
//! and the promise.
//!
//! The scripted host takes part only if fabrs itself keeps the promise, by its handling of output
//! and exit status. Promises of a shell, a directory or a process are left out, because a script
//! would only repeat them.

mod places;
mod promises;

/// Makes a test of each promise on one transport.
macro_rules! kept_by {
    ($place:ident: $($promise:ident)*) => {
        mod $place {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() -> fabrs::Result<()> {
                    let place = super::places::$place();
                    super::promises::$promise(&place).await?;
                    place.host.close().await;
                    Ok(())
                }
            )*
        }
    };
}

/// Makes the tests of the promises kept by every transport that runs real commands.
macro_rules! kept_by_all_that_run {
    ($($promise:ident)*) => {
        kept_by!(local: $($promise)*);
        kept_by!(sshd: $($promise)*);
        kept_by!(behind_a_gateway: $($promise)*);
    };
}

kept_by_all_that_run! {
    stdout_and_stderr_stay_separate
    a_status_is_an_error_that_carries_the_output
    warn_takes_any_status
    statuses_127_and_255_are_statuses
    a_signal_is_how_a_command_ended
    a_timeout_ends_it_and_keeps_what_it_printed
    a_bounded_capture_still_has_the_tail
    everything_is_kept_where_all_was_asked_for
    lines_are_read_from_stdout
    json_is_read_from_stdout
    no_character_is_torn_between_chunks
    hidden_streams_are_captured_and_not_shown
    connections_to_one_host_have_equal_hosts
    stdin_arrives_whole_and_ends
    without_stdin_the_end_is_read_at_once
    a_spawned_command_runs_while_something_else_is_done
    a_spawned_command_fails_as_an_awaited_one
    a_relative_directory_continues_and_an_absolute_one_replaces
    prefixes_come_after_the_directory_in_their_order
    nothing_of_a_line_runs_where_the_directory_is_missing
    a_variable_arrives_byte_for_byte
    a_secret_variable_arrives_byte_for_byte_and_is_in_no_line
    output_larger_than_a_window_arrives_whole
    a_closed_connection_opens_again
}

kept_by!(fake:
    stdout_and_stderr_stay_separate
    a_status_is_an_error_that_carries_the_output
    warn_takes_any_status
    statuses_127_and_255_are_statuses
    a_signal_is_how_a_command_ended
    a_timeout_ends_it_and_keeps_what_it_printed
    a_bounded_capture_still_has_the_tail
    everything_is_kept_where_all_was_asked_for
    lines_are_read_from_stdout
    json_is_read_from_stdout
    no_character_is_torn_between_chunks
    hidden_streams_are_captured_and_not_shown
    connections_to_one_host_have_equal_hosts
);
