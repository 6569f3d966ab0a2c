Workbench.main()
