"""The CI files of examples/django-shop, without hosts: `scripts/story test_ci_files`."""

from ci_jobs import JOBS, CiJobs, git, github_lines, gitlab_lines, jenkins_lines


class CiFiles(CiJobs):
    def test_all_servers_run_the_same_lines(self):
        expected = github_lines()
        self.assertEqual(list(expected), JOBS)
        self.assertEqual(gitlab_lines(), expected)
        self.assertEqual(jenkins_lines(), expected)

    def test_each_commit_passes_the_unit_tests_before_the_functional_tests(self):
        self.push()
        self.assertIn("has not passed stage `unit`", self.run_job("gitlab", "functional", code=1))
        self.run_job("github", "unit")
        self.assertIn("Found 14 test(s)", self.run_job("jenkins", "functional"))
        self.assertEqual(self.records(), [("unit", "passed"), ("functional", "passed")])
        self.assertRegex(self.fab("pipeline"), r"passed \S+ \d+s +passed \S+ \d+s +Change the shop")

        form = self.tree / "orders/forms.py"
        form.write_text(form.read_text().replace("forms.ModelForm", "forms.Form"))
        self.push()
        self.assertIn("test_an_order_needs_an_article", self.run_job("gitlab", "unit", code=1))
        self.assertEqual(self.records(), [("unit", "failed")])
        self.assertIn("has not passed stage `unit`: failed at", self.run_job("github", "functional", code=1))

        git("revert", "--no-edit", "HEAD", cwd=self.tree)
        views = self.tree / "orders/views.py"
        views.write_text(views.read_text() + "\n\ndef untested(first, second):\n" + "    first += second\n" * 10)
        self.push()
        self.run_job("jenkins", "unit")
        self.assertIn("less than fail-under", self.run_job("gitlab", "functional", code=1))
        self.assertEqual(self.records(), [("unit", "passed"), ("functional", "failed")])
