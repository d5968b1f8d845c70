-- Runs that have yet to begin, and runs that a flow runner starts in a process of their own.

-- flow_runner: its settings as JSON; NULL: the run goes on in whichever process resumes it.
-- due: when the run may begin, seconds since the epoch. deployment: id of the deployment that the run belongs to.
-- identifier: the process or container that runs it, as its flow runner calls it.
-- flow_location: file and name of the flow, "/path/flows.py:nightly"; NULL: the flow is stored by value.
ALTER TABLE run ADD COLUMN flow_runner TEXT;
ALTER TABLE run ADD COLUMN due REAL;
ALTER TABLE run ADD COLUMN deployment TEXT;
ALTER TABLE run ADD COLUMN identifier TEXT;
ALTER TABLE run ADD COLUMN flow_location TEXT;

-- However many processes create the runs of a schedule, there is one for each time.
CREATE UNIQUE INDEX run_of_deployment ON run (deployment, due) WHERE deployment IS NOT NULL;
CREATE INDEX run_to_begin ON run (due) WHERE due IS NOT NULL AND started IS NULL;
