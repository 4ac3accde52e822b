rem Scheduled tasks for Windows, made from an administrator's prompt. No `auditor daemon` here: what schtasks makes is ended after three days.
rem Secrets: file:PATH in auditor.yaml, readable for LOCAL SERVICE alone (icacls PATH /inheritance:r /grant:r "LOCAL SERVICE:R" "Administrators:F").
rem The account also needs C:\ProgramData\auditor\data to write to: icacls C:\ProgramData\auditor\data /grant "LOCAL SERVICE:(OI)(CI)M"

schtasks /Create /F /TN "auditor\check" /SC MINUTE /MO 15 /RU "NT AUTHORITY\LOCALSERVICE" /TR "\"C:\Program Files\auditor\Scripts\auditor.exe\" --config C:\ProgramData\auditor\auditor.yaml check --output html=C:\ProgramData\auditor\data\latest.html --output json=C:\ProgramData\auditor\data\latest.json"
schtasks /Create /F /TN "auditor\report" /SC WEEKLY /D MON /ST 06:00 /RU "NT AUTHORITY\LOCALSERVICE" /TR "\"C:\Program Files\auditor\Scripts\auditor.exe\" --config C:\ProgramData\auditor\auditor.yaml report"
