-- Answers to tasks that wait: what a request changes, and by when the tasks of a run at rest are answered by themselves.

ALTER TABLE request ADD COLUMN details TEXT;

ALTER TABLE run ADD COLUMN answer_due REAL;

CREATE INDEX run_answer_due ON run (answer_due) WHERE answer_due IS NOT NULL;
