//! The transport contract: the same promises on every transport. The test path names the transport
//! and the promise.
//!
//! The scripted host takes part only if fabrs itself keeps the promise, by its handling of output
//! and exit status. Promises of a shell, a directory or a process are left out, because a script
//! would only repeat them.

mod promises;
mod transports;

/// Makes a test of each promise on a transport.
macro_rules! transport_tests {
    ($transport:ident: $($promise:ident)*) => {
        mod $transport {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() -> fabrs::Result<()> {
                    let fixture = super::transports::$transport();
                    super::promises::$promise(&fixture).await?;
                    fixture.host.close().await;
                    Ok(())
                }
            )*
        }
    };
}

/// Makes the tests of the promises kept by every transport with real commands.
macro_rules! real_transport_tests {
    ($($promise:ident)*) => {
        transport_tests!(local: $($promise)*);
        transport_tests!(sshd: $($promise)*);
        transport_tests!(behind_a_gateway: $($promise)*);
    };
}

real_transport_tests! {
    stdout_and_stderr_stay_separate
    a_nonzero_status_is_an_error_with_the_output
    warn_accepts_any_status
    statuses_127_and_255_are_exit_statuses
    a_killing_signal_is_the_exit_status
    a_timeout_ends_the_command_and_keeps_its_output
    a_truncated_capture_keeps_the_tail
    capture_all_keeps_the_whole_output
    lines_are_read_from_stdout
    json_is_read_from_stdout
    characters_split_between_chunks_stay_intact
    hidden_streams_are_captured_and_not_shown
    connections_to_one_host_have_equal_hosts
    stdin_arrives_complete_and_ends
    a_command_without_stdin_reads_end_of_file
    a_spawned_command_runs_concurrently
    a_spawned_command_fails_like_an_awaited_command
    a_relative_directory_extends_and_an_absolute_directory_replaces
    prefixes_run_in_order_after_the_directory_change
    a_line_in_a_missing_directory_does_not_run
    a_variable_arrives_byte_for_byte
    a_secret_variable_arrives_byte_for_byte_and_is_absent_from_the_command_line
    output_larger_than_a_window_arrives_complete
    a_closed_connection_reopens_on_use
}

transport_tests!(fake:
    stdout_and_stderr_stay_separate
    a_nonzero_status_is_an_error_with_the_output
    warn_accepts_any_status
    statuses_127_and_255_are_exit_statuses
    a_killing_signal_is_the_exit_status
    a_timeout_ends_the_command_and_keeps_its_output
    a_truncated_capture_keeps_the_tail
    capture_all_keeps_the_whole_output
    lines_are_read_from_stdout
    json_is_read_from_stdout
    characters_split_between_chunks_stay_intact
    hidden_streams_are_captured_and_not_shown
    connections_to_one_host_have_equal_hosts
);
