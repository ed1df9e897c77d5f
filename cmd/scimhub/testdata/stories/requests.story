Story: A role is asked for, approved in two steps, and ends by itself
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
On 2027-03-02 08:00
  alice asks for prod-admin, because release night
Then
  alice's request for prod-admin is pending
  bob is asked about prod-admin for alice
  carol is not asked about prod-admin for alice
  at git alice has no account
On 2027-03-02 09:00
  bob approves prod-admin for alice
Then
  carol is asked about prod-admin for alice
  at git alice has no account
On 2027-03-02 10:00
  carol approves prod-admin for alice
Then
  alice's request for prod-admin is approved
  alice holds employee, prod-admin
  alice holds prod-admin until 2027-04-01 08:00
  at git alice has an account in admins
  alice has git because of request
On 2027-03-29 08:00
Then
  alice was told of request.expiring
  at git alice has an account in admins
On 2027-04-01 08:00
Then
  alice's request for prod-admin is expired
  at git alice has no account

Story: Without the reason that is required nothing is asked
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  alice asks for prod-admin
  it is refused: reason
  alice asks for nonsense, because I want it
  it is refused: nonsense
  alice asks for security, because I want it
  it is refused: security
  alice asks for prod-admin until 2028-01-01, because I want it for long
  it is refused: 30
  alice asks for prod-admin until 2027-02-01, because I want it yesterday
  it is refused: until

Story: An approver says no
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  alice asks for prod-admin, because release night
  bob denies prod-admin for alice, because not this time
Then
  alice's request for prod-admin is denied: not this time
  at git alice has no account
  carol approves prod-admin for alice
  it is refused: denied

Story: What is asked can be taken back
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  alice asks for prod-admin, because release night
  alice withdraws prod-admin
Then
  alice's request for prod-admin is withdrawn
  bob is not asked about prod-admin for alice

Story: What was approved can be given up
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  alice asks for lounge
Then
  alice holds employee, lounge
  at chat alice has an account in lounge
On 2027-03-03 08:00
  alice gives lounge up
Then
  alice holds employee

Story: Nobody approves for themselves
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  hr pushes erin: department Security, manager bob
  erin asks for auditor for erin
  erin approves auditor for erin
  it is refused: nobody decides about their own request
  carol approves auditor for erin
Then
  # All of them: compliance has not said anything yet.
  erin's request for auditor is pending
  dave approves auditor for erin
Then
  erin's request for auditor is approved

Story: One of several is enough where any may decide
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  alice asks for either
  dave approves either for alice
Then
  alice's request for either is approved

Story: Who is not asked cannot decide
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  hr pushes frank: department Sales
  alice asks for prod-admin, because release night
  frank approves prod-admin for alice
  it is refused: frank is not asked, but bob

Story: Somebody else's report
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  hr pushes frank: department Sales
  frank asks for wiki-editor for alice
  it is refused: not your report
  bob asks for wiki-editor for alice
Then
  # The manager who asks has said yes with it.
  alice's request for wiki-editor is approved
  at wiki alice has an account

Story: Nobody asks for somebody who left
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
On 2027-03-02 08:00
  hr changes alice: active false
  bob asks for wiki-editor for alice
  it is refused: alice has left

Story: A deputy answers, for a time
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  hr pushes frank: department Sales
  bob names frank as deputy until 2027-03-10
  alice asks for prod-admin, because release night
  frank approves prod-admin for alice
Then
  carol is asked about prod-admin for alice
On 2027-03-12 08:00
  alice asks for wiki-editor
  frank approves wiki-editor for alice
  it is refused: frank is not asked

Story: A deputy does not approve for themselves either
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  hr pushes frank: department Sales, manager bob
  bob names frank as deputy
  frank asks for wiki-editor
  frank approves wiki-editor for frank
  it is refused: nobody decides about their own request

Story: Nobody answers: reminders, then others are asked, then it is over
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  alice asks for prod-admin, because release night
On 2027-03-03 08:10
Then
  alice was told of request.reminder
On 2027-03-06 08:10
Then
  carol is asked about prod-admin for alice
On 2027-03-21 08:10
Then
  alice's request for prod-admin is expired: nobody had decided

Story: The approver left
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
On 2027-03-02 08:00
  alice asks for wiki-editor
  hr changes bob: active false
Then
  alice has the finding nobody can approve wiki-editor for alice
  bob approves wiki-editor for alice
  it is refused: bob
  the operator approves wiki-editor for alice
Then
  at wiki alice has an account

Story: Managers of each other are a circle, and neither approves for the other
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
On 2027-03-02 08:00
  hr changes bob: manager alice
  alice asks for wiki-editor
Then
  alice has the finding nobody can approve wiki-editor for alice
  alice has the finding lead back
  alice's request for wiki-editor is pending

Story: Emergency access at once, approved afterwards
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
On 2027-03-02 22:00
  alice asks for break-glass in an emergency, because the site is down
Then
  at git alice has an account in glass
  carol is asked about break-glass for alice
On 2027-03-02 23:00
  carol approves break-glass for alice
Then
  at git alice has an account in glass
On 2027-03-03 02:00
Then
  alice's request for break-glass is expired
  at git alice has no account

Story: Emergency access that the review does not approve ends at once
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
On 2027-03-02 22:00
  alice asks for break-glass in an emergency, because the site is down
  alice approves break-glass for alice
  it is refused: nobody decides about their own request
  carol denies break-glass for alice, because the site was up
Then
  alice's request for break-glass is revoked: the site was up
  at git alice has no account

Story: An approval lapses when the fact that it relied on changes
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  alice asks for reports
  bob approves reports for alice
Then
  at wiki alice has an account in reports
On 2027-04-01 08:00
  hr changes alice: title Lead
Then
  at wiki alice has an account in reports
On 2027-04-02 08:00
  hr changes alice: department Support
Then
  alice's request for reports is lapsed: Sales
  at wiki alice has no account

Story: The new manager is asked about what came along, and keeps it
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  hr pushes frank: department Support
  alice asks for project
  bob approves project for alice
On 2027-04-01 08:00
  hr changes alice: department Support, manager frank
Then
  alice holds employee, project
  frank is asked about project for alice
  bob is not asked about project for alice
On 2027-04-05 08:00
  frank approves project for alice
On 2027-06-01 08:00
Then
  alice holds employee, project

Story: The new manager is asked about what came along, and says no
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  hr pushes frank: department Support
  alice asks for project
  bob approves project for alice
On 2027-04-01 08:00
  hr changes alice: manager frank
  frank denies project for alice, because not in this team
Then
  alice's request for project is revoked: not in this team
  at wiki alice has no account

Story: The new manager does not answer, where silence ends the role
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  hr pushes frank: department Support
  alice asks for project
  bob approves project for alice
On 2027-04-01 08:00
  hr changes alice: manager frank
On 2027-04-14 08:00
Then
  at wiki alice has an account in project
On 2027-04-15 08:01
Then
  alice's request for project is expired
  at wiki alice has no account

Story: A rule matches, and the role needs a yes all the same
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
On 2027-03-02 08:00
  hr pushes erin: department Finance
Then
  erin holds employee
  erin's request for payroll is pending
  dave is asked about payroll for erin
  dave approves payroll for erin
Then
  erin holds employee, payroll
  at wiki erin has an account in payroll
On 2027-04-02 08:00
  hr changes erin: department Sales
Then
  erin holds employee
  erin's request for payroll is ended
  at wiki erin has no account

Story: What was asked for ends with a leaver, and does not come back with them
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  alice asks for wiki-editor
  bob approves wiki-editor for alice
On 2027-04-02 08:00
  hr changes alice: active false
Then
  alice's request for wiki-editor is ended: alice has left
On 2027-05-02 08:00
  hr changes alice: active true
Then
  alice holds employee
  at wiki alice has no account

Story: A role asked for a time to come
Configuration: governed

On 2027-03-01 08:00
  hr pushes bob: department Sales
  hr pushes carol: department Security
  hr pushes dave: department Compliance
  hr pushes alice: department Sales, manager bob
  alice asks for wiki-editor from 2027-03-15 until 2027-03-20
  bob approves wiki-editor for alice
Then
  at wiki alice has no account
On 2027-03-15 00:00
Then
  at wiki alice has an account
On 2027-03-20 00:00
Then
  at wiki alice has no account
